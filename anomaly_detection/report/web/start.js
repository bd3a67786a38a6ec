// Views, keys, and the start.

const KEYS = [
  ["J or ↓", "next alarm"],
  ["K or ↑", "previous alarm"],
  ["R", "mark as real"],
  ["F", "mark as false"],
  ["U", "take the mark away"],
  ["Space", "play or pause"],
  [", and .", "one frame back, one frame on"],
  ["H", "heat map on or off"],
  ["B", "outlines on or off"],
  ["E", "export the marks"],
  ["?", "this help"],
];

function showView(name) {
  document.body.dataset.view = name;
  document.body.classList.remove("opened");
  for (const view of document.querySelectorAll(".view")) view.hidden = view.id !== name;
  for (const button of document.querySelectorAll(".views button")) {
    if (button.dataset.view === name) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
  }
  if (name === "alarms") drawRows();
  else player.pause();
  if (name === "timelines") showTimelines();
  if (name === "scene") scene.open();
}

function check(id) {
  $(id).checked = !$(id).checked;
  player.draw();
}

const ACTIONS = {
  j: () => move(1),
  ArrowDown: () => move(1),
  k: () => move(-1),
  ArrowUp: () => move(-1),
  r: () => mark("real"),
  f: () => mark("false"),
  u: () => mark(null),
  " ": () => player.row && player.toggle(),
  ",": () => player.row && player.step(-1),
  ".": () => player.row && player.step(1),
  h: () => check("heat"),
  b: () => check("boxes"),
  e: exportMarks,
  "?": () => $("help-dialog").showModal(),
  Escape: () => document.body.classList.remove("opened"),
  Home: () => choose(shown[0] ?? null),
  End: () => choose(shown[shown.length - 1] ?? null),
};
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("help-dialog").open) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key,
    target = event.target;
  if (target.id === "scene-map" && ARROWS[key] && scene.content) {
    scene.move(...ARROWS[key]);
    event.preventDefault();
    return;
  }
  const isField = target.matches("select, input") && !(target.type === "checkbox" && key !== " ");
  const isPress = key === " " && target.matches("button");
  if (isField || isPress || !ACTIONS[key]) return;
  if (document.body.dataset.view !== "alarms" && !["?", "e"].includes(key)) return;
  event.preventDefault();
  ACTIONS[key]();
}

function bind() {
  const on = (id, kind, act) => $(id).addEventListener(kind, act);
  for (const button of document.querySelectorAll(".views button")) {
    button.addEventListener("click", () => showView(button.dataset.view));
  }
  on("threshold", "input", (event) => {
    threshold = Number(event.target.value);
    later(keepChoice);
  });
  for (const id of ["mark-filter", "sequence-filter", "order"]) on(id, "change", keepChoice);
  on("list", "scroll", () => later(drawRows));
  on("rows", "click", (event) => {
    const row = event.target.closest(".row");
    if (row) choose(shown[Number(row.dataset.place)]);
  });
  on("mark-real", "click", () => mark("real"));
  on("mark-false", "click", () => mark("false"));
  on("previous", "click", () => move(-1));
  on("next", "click", () => move(1));
  on("back", "click", () => {
    document.body.classList.remove("opened");
    player.pause();
    drawRows();
    $("list").focus();
  });
  on("play", "click", () => player.row && player.toggle());
  on("step-back", "click", () => player.row && player.step(-1));
  on("step-on", "click", () => player.row && player.step(1));
  on("seek", "input", (event) => {
    if (player.row) {
      player.pause();
      player.show(Number(event.target.value));
    }
  });
  for (const id of ["heat", "boxes"]) on(id, "change", () => player.draw());
  on("scene-map", "click", (event) => {
    if (!scene.content) return;
    const area = $("scene-picture").getBoundingClientRect();
    scene.show(
      scene.at((event.clientX - area.left) / area.width, (event.clientY - area.top) / area.height),
    );
  });
  on("scene-shade", "change", () => {
    $("scene-regions").hidden = !$("scene-shade").checked;
  });
  on("export", "click", exportMarks);
  on("import", "click", () => $("import-file").click());
  on("import-file", "change", (event) => {
    for (const file of event.target.files) importMarks(file);
    event.target.value = "";
  });
  on("help", "click", () => $("help-dialog").showModal());
  document.addEventListener("keydown", onKey);
  new ResizeObserver(() => {
    measureRows();
    drawRows();
  }).observe($("list"));
}

function keepChoice() {
  refilter();
  if (shown.includes(chosen)) showHead(chosen, shown.indexOf(chosen));
  else choose(shown[0] ?? null, { open: false });
  redress();
}

let pending = null;
function later(act) {
  if (pending === act) return;
  pending = act;
  requestAnimationFrame(() => {
    pending = null;
    act();
  });
}

function measureRows() {
  rowHeight = parseFloat(cssColour("--row"));
}

function fill() {
  for (const row of index.detections) {
    row.key = keyOf(nameOf(row), row.first, row.last, row.peak, row.region);
    countOf[row.sequence] = (countOf[row.sequence] ?? 0) + 1;
  }
  index.sequences.forEach((sequence, place) => {
    countOf[place] ??= 0;
    const option = element("option", "", `${sequence.name} (${countOf[place]})`);
    option.value = place;
    $("sequence-filter").append(option);
  });
  $("scene-button").hidden = $("help-exemplars").hidden = !index.has_scene;
  const highest = index.detections[0]?.score ?? index.threshold;
  threshold = index.threshold;
  Object.assign($("threshold"), {
    min: index.threshold,
    max: Math.max(highest, index.threshold),
    value: index.threshold,
  });
  $("threshold").disabled = !index.detections.length;
  $("ramp").style.background = `linear-gradient(to right, ${index.colours.join(", ")})`;
  $("ramp-top").textContent =
    `${number(index.top_score)} · line: threshold ${number(index.threshold)}`;
  $("threshold-words").textContent = thresholdWords(index.threshold_from);
  $("ramp-threshold").style.left = `${(100 * index.threshold) / (index.top_score || 1)}%`;
  for (const [key, text] of KEYS) $("keys").append(element("dt", "", key), element("dd", "", text));
}

function thresholdWords(from) {
  const words = `The threshold of this report is ${number(index.threshold, 3)}`;
  if (from.kind !== "false_alarms_per_hour") return `${words}, as its config says.`;
  const minutes = number(60 * from.hours, 1);
  return (
    `${words}: on ${minutes} minutes of normal video, left out in turn, it raises ` +
    `${many(from.alarms, "alarm")}; ${from.per_hour} an hour are allowed.`
  );
}

async function start() {
  bindTheme();
  try {
    index = await data("index");
  } catch (error) {
    say(error.message);
    return;
  }
  loadMarks();
  fill();
  measureRows();
  bind();
  refilter();
  choose(shown[0] ?? null, { open: false });
  document.documentElement.dataset.ready = "true";
}

start();
