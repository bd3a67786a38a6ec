// The scores of the last minutes, the threshold, and the alarms in them.

const HEIGHT = 100; // of the drawing
const FOOT = 12; // height of the alarms' bars at its foot
const LEAST_S = 10; // shortest time that the strip spans

const plot = drawing("svg", { class: "plot", preserveAspectRatio: "none", role: "img" });

function drawStrip({ strip, threshold, top }, listed) {
  plot.replaceChildren();
  if (!strip.length) return;
  const last = strip[strip.length - 1][1],
    first = Math.min(strip[0][1], last - LEAST_S),
    width = last - first;
  plot.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  const up = (score) => number((HEIGHT - FOOT - 4) * (1 - score / (top || 1)) + 2);
  plot.append(
    drawing("path", { class: "scores", d: pathOf(strip, first, up) }),
    drawing("line", {
      class: "threshold",
      x1: 0,
      x2: width,
      y1: up(threshold),
      y2: up(threshold),
    }),
  );
  const spans = listed.map((alarm) => spanOf(alarm, strip)).filter(Boolean);
  for (const [from, to] of spans) {
    plot.append(
      drawing("rect", {
        class: "found",
        x: number(from - first),
        width: number(Math.max(to - from, width / 300)),
        y: HEIGHT - FOOT,
        height: FOOT - 2,
      }),
    );
  }
  const score = strip[strip.length - 1][2];
  $("strip-caption").textContent =
    `Highest score of the last ${words(width)}` +
    (score === null ? "" : `; now ${number(score, 3)}`) +
    `, threshold ${number(threshold, 3)}`;
  plot.setAttribute("aria-label", $("strip-caption").textContent);
}

const words = (s) => (s < 120 ? `${Math.round(s)} seconds` : `${Math.round(s / 60)} minutes`);

/** The line of all scores; it is broken where frames have none. */
function pathOf(strip, first, up) {
  let open = false,
    path = "";
  for (const [, seconds, score] of strip) {
    if (score !== null) path += `${open ? "L" : "M"}${number(seconds - first)} ${up(score)}`;
    open = score !== null;
  }
  return path;
}

/** From when to when, in seconds of the source, an alarm lasts; null if the strip begins later. */
function spanOf(alarm, strip) {
  if (alarm.first_frame === null || alarm.first_frame === undefined) return null;
  const end = strip[strip.length - 1];
  const lastFrame = alarm.last_frame ?? end[0];
  if (lastFrame < strip[0][0] || alarm.first_frame > end[0]) return null;
  const at = (frame) => (strip.find((point) => point[0] >= frame) ?? end)[1];
  return [at(alarm.first_frame), at(lastFrame)];
}
