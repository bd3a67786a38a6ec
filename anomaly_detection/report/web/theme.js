// What is kept between visits, and the theme.

const memory = new Map();
const store = {
  fails: false,
  get(key) {
    try {
      return localStorage.getItem(key);
    } catch {
      this.fails = true;
      return memory.get(key) ?? null;
    }
  },
  set(key, value) {
    memory.set(key, value);
    try {
      localStorage.setItem(key, value);
    } catch {
      this.fails = true;
    }
  },
};

const THEME_KEY = "vadloc theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

function applyTheme() {
  const kept = store.get(THEME_KEY);
  document.documentElement.dataset.theme = kept ?? (dark.matches ? "dark" : "light");
}

function switchTheme() {
  store.set(THEME_KEY, document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  applyTheme();
}

function bindTheme() {
  applyTheme();
  $("theme").addEventListener("click", switchTheme);
  dark.addEventListener("change", applyTheme);
}
