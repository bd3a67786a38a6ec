// The state of the watch, keys, and the start.

const EACH_MS = 1000;
const SHOWN = [
  ["frames_per_second", "frames a second", 1],
  ["latency_seconds", "s to scores", 2],
  ["alarm_latency_seconds", "s to the last alarm", 2],
  ["frames_scored", "frames scored"],
  ["frames_dropped", "frames dropped", 0, true],
  ["reconnects", "reconnects", 0, true],
  ["sends_failed", "messages lost", 0, true],
  ["clips_failed", "clips lost", 0, true],
];
const KEYS = [
  ["J, ↓ / K, ↑", "next / previous alarm"],
  ["R, F, U", "mark as real, as false, or not at all"],
  ["C", "its clip"],
  ["H, B", "heat map, outlines"],
  ["?", "this help"],
];
const ACTIONS = {
  j: () => move(1),
  ArrowDown: () => move(1),
  k: () => move(-1),
  ArrowUp: () => move(-1),
  r: () => alarms.get(alarms.chosen)?.mark !== "real" && mark("real"),
  f: () => alarms.get(alarms.chosen)?.mark !== "false" && mark("false"),
  u: () => mark(null),
  c: toggleClip,
  h: () => check("heat"),
  b: () => check("boxes"),
  "?": () => $("help-dialog").showModal(),
};

let state = null;

function check(id) {
  $(id).checked = !$(id).checked;
  view.draw();
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || $("help-dialog").open) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.target.matches("video, input:not([type=checkbox])") || !ACTIONS[key]) return;
  event.preventDefault();
  ACTIONS[key]();
}

function showState(answer) {
  const listed = answer.alarms ?? null;
  state = answer;
  $("name").textContent = answer.name;
  document.title = `${answer.name} - vadloc`;
  $("ramp").style.background = `linear-gradient(to right, ${answer.colours.join(", ")})`;
  $("ramp-top").textContent = `${number(answer.top, 3)} · line: threshold ${number(answer.threshold, 3)}`;
  $("ramp-threshold").style.left = `${(100 * answer.threshold) / (answer.top || 1)}%`;
  if (listed) alarms.take(listed);
  drawStrip(answer, alarms.listed);
  showCounts({ ...answer.counters, ...answer.gauges });
  const late = answer.frame_age_s === null || answer.frame_age_s > LATE_S;
  if (answer.gauges.source_up === 0) showLive("the camera gives no picture", "down");
  else if (answer.frame_age_s === null) showLive("no picture yet", "");
  else if (late) showLive(`no new picture for ${words(answer.frame_age_s)}`, "down");
  else showLive("live", "up");
}

function showLive(text, kind) {
  if ($("live").textContent !== text) $("live").textContent = text;
  $("live").className = `live ${kind}`;
}

function showCounts(values) {
  const made = SHOWN.filter(([name]) => name in values).map(([name, text, digits, isBad]) => {
    const value = values[name],
      part = element("div", isBad && value > 0 ? "bad" : "");
    const shown = value === null ? "–" : digits ? number(value, digits) : value.toLocaleString("en");
    part.append(element("dt", "", text), element("dd", "", shown));
    return part;
  });
  $("counts").replaceChildren(...made);
}

async function followState() {
  for (;;) {
    try {
      showState(await ask(`/state?alarms=${encodeURIComponent(state?.alarms_serial ?? "")}`));
      document.documentElement.dataset.ready = "true";
    } catch (error) {
      showLive(
        error instanceof Refused ? error.message : "the watch does not answer; asking again",
        "down",
      );
    }
    await pause(EACH_MS);
    if (document.hidden) await shownAgain();
  }
}

bindTheme();
$("strip").append(plot);
for (const [key, text] of KEYS) $("keys").append(element("dt", "", key), element("dd", "", text));
for (const id of ["heat", "boxes"]) $(id).addEventListener("change", () => view.draw());
$("help").addEventListener("click", () => $("help-dialog").showModal());
document.addEventListener("keydown", onKey);
followState();
followPictures();
