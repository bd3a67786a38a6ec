// Scores, alarms and ground truth of each sequence over its frames.

const plots = new Set(); // what draws the alarms of a plot anew
const PLOT = 100; // height of the drawing
const FOUND = 14; // height of the alarms' bars at its foot
const LANES = 4; // alarms at one time that are drawn below each other

/** Scores, alarms and ground truth of a sequence over its frames. */
function plotOf(place, { clip, onSeek, onAlarm } = {}) {
  const sequence = index.sequences[place],
    count = sequence.frame_count;
  const svg = drawing("svg", {
    class: "plot",
    viewBox: `0 0 ${count} ${PLOT}`,
    preserveAspectRatio: "none",
    role: "img",
  });
  const up = (score) => (PLOT - FOUND - 4) * (1 - score / (index.top_score || 1)) + 2;
  for (const [first, last] of sequence.bands ?? []) {
    const at = { x: first, width: last - first + 1 };
    svg.append(
      drawing("rect", { class: "truth", y: 0, height: PLOT, ...at }),
      drawing("rect", { class: "truth-edge", y: 0, height: 4, ...at }),
    );
  }
  const found = drawing("g", {});
  const points = sequence.scores.map(
    (score, i) => `${Math.min(count, (i + 0.5) * sequence.frames_a_point)} ${number(up(score))}`,
  );
  if (points.length) points.unshift(`0 ${points[0].split(" ")[1]}`);
  if (points.length) points.push(`${count} ${points[points.length - 1].split(" ")[1]}`);
  svg.append(
    drawing("path", { class: "scores", d: `M${points.join("L")}` }),
    drawing("line", { class: "threshold", x1: 0, x2: count }),
    found,
    drawing("line", { class: "now", y1: 0, y2: PLOT, x1: -9, x2: -9 }),
  );
  const redraw = () => drawFound(svg, found, place, up);
  redraw();
  if (!clip) plots.add(redraw);
  svg.addEventListener("click", (event) => {
    const area = svg.getBoundingClientRect();
    const frame = Math.floor((count * (event.clientX - area.left)) / area.width);
    if (onSeek) onSeek(frame);
    else onAlarm(frame);
  });
  return svg;
}

function drawFound(svg, found, place, up) {
  const rows = shown.filter((row) => row.sequence === place),
    sequence = index.sequences[place];
  const lanes = lanesOf(rows),
    height = FOUND / Math.max(1, ...lanes.map((lane) => lane + 1));
  found.replaceChildren(
    ...rows.map((row, i) =>
      drawing("rect", {
        class: row === chosen ? "found chosen" : "found",
        x: row.first,
        width: row.last - row.first + 1,
        y: number(PLOT - FOUND + lanes[i] * height),
        height: number(0.8 * height),
      }),
    ),
  );
  const line = svg.querySelector(".threshold"),
    y = number(up(threshold));
  line.setAttribute("y1", y);
  line.setAttribute("y2", y);
  const bands = sequence.bands?.map(([first, last]) => frames(first, last)).join(", ");
  svg.setAttribute(
    "aria-label",
    `${sequence.name}: ${many(sequence.frame_count, "frame")}, ${many(rows.length, "alarm")}` +
      (sequence.bands ? `; ground truth: ${bands || "no anomaly"}` : ""),
  );
}

/** For each alarm the first lane that is free in its time; the last one takes all that remain. */
function lanesOf(rows) {
  const ends = [],
    lanes = new Map();
  for (const row of [...rows].sort((a, b) => a.first - b.first)) {
    let lane = ends.findIndex((end) => end < row.first);
    if (lane < 0) lane = Math.min(ends.length, LANES - 1);
    ends[lane] = Math.max(row.last, ends[lane] ?? 0);
    lanes.set(row, lane);
  }
  return rows.map((row) => lanes.get(row));
}

function timelineOf(place) {
  const sequence = index.sequences[place],
    made = element("div", "timeline"),
    side = element("div");
  const open = element("button", "open", many(countOf[place], "alarm"));
  open.type = "button";
  open.disabled = !countOf[place];
  open.setAttribute("aria-label", `${sequence.name}: list its ${many(countOf[place], "alarm")}`);
  open.addEventListener("click", () => {
    $("sequence-filter").value = String(place);
    showView("alarms");
    refilter();
    choose(shown[0] ?? null, { open: false });
  });
  side.append(
    element("h3", "", sequence.name),
    element(
      "p",
      "small",
      `${many(sequence.frame_count, "frame")} · ${seconds(sequence, sequence.frame_count)}`,
    ),
    ...sequence.camera.map((words) => element("p", "small", words)),
    open,
  );
  made.append(side);
  made.style.minHeight = "92px";
  whenSeen.set(made, () =>
    made.append(plotOf(place, { onAlarm: (frame) => openAt(place, frame) })),
  );
  seeing.observe(made);
  return made;
}

const whenSeen = new WeakMap();
const seeing = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      seeing.unobserve(target);
      whenSeen.get(target)();
    }
  },
  { rootMargin: "300px" },
);

/** The alarm at a frame of a sequence, or the nearest one. */
function openAt(place, frame) {
  const away = (row) => Math.max(row.first - frame, frame - row.last, 0);
  const rows = shown.filter((row) => row.sequence === place);
  if (!rows.length) {
    say("No alarm of this sequence passes the filters.");
    return;
  }
  const nearest = rows.reduce((a, b) => (away(b) < away(a) ? b : a));
  showView("alarms");
  choose(nearest, { at: Math.min(Math.max(frame, nearest.first), nearest.last) });
}

function redrawPlots() {
  for (const redraw of plots) redraw();
}

function showTimelines() {
  if ($("timeline-list").childElementCount) {
    redrawPlots();
    return;
  }
  const key = [
    ["--text", "highest score of each frame"],
    ["--alarm", "alarms and threshold"],
    ["--accent", "the alarm that is open"],
  ];
  if (index.sequences.some((s) => s.bands)) key.push(["--truth", "ground truth"]);
  for (const [colour, text] of key) {
    const made = element("span", "", text);
    made.style.setProperty("--c", `var(${colour})`);
    $("timeline-key").append(made);
  }
  $("timeline-list").append(...index.sequences.map((_, place) => timelineOf(place)));
}
