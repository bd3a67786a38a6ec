// The list of alarms, its filters, and marks.

const NO_ALARMS =
  "No alarms: nothing scored above the threshold. The timelines show how high the scores are.";

let index = null;
let marks = {}; // key of a detection -> "real" or "false"
let shown = []; // detections that pass the filters, in order
let chosen = null; // the detection that is looked at
let threshold = 0;
const countOf = []; // detections of each sequence

const nameOf = (row) => index.sequences[row.sequence].name;
/** What a detection is called in marks: the same in a report made anew of the same alarms. */
const keyOf = (sequence, first, last, peak, region) =>
  [sequence, first, last, peak, region].join("|");
const markOf = (row) => marks[row.key];
const marksKey = () => `vadloc marks ${index.dataset} ${index.version}`;

function loadMarks() {
  try {
    const kept = JSON.parse(store.get(marksKey()) ?? "{}");
    marks = Object.fromEntries(
      Object.entries(kept).filter(([, m]) => m === "real" || m === "false"),
    );
  } catch {
    marks = {};
  }
}

const rowsById = new Map(); // place in `shown` -> element
let rowHeight = 0;

function passes(row) {
  const filter = $("mark-filter").value,
    sequence = $("sequence-filter").value;
  const mark = markOf(row) ?? "none";
  return (
    row.score >= threshold &&
    (filter === "all" || filter === mark) &&
    (sequence === "" || Number(sequence) === row.sequence)
  );
}

function refilter() {
  shown = index.detections.filter(passes);
  if ($("order").value === "time") {
    shown.sort((a, b) => a.sequence - b.sequence || a.first - b.first);
  }
  for (const made of rowsById.values()) made.remove();
  rowsById.clear();
  $("rows").style.height = `${shown.length * rowHeight}px`;
  $("list").hidden = shown.length === 0;
  $("nothing").hidden = shown.length > 0;
  $("nothing").textContent = index.detections.length ? "No alarm passes these filters." : NO_ALARMS;
  tell();
  drawRows();
  if (document.body.dataset.view === "timelines") redrawPlots();
}

function tell() {
  const of = { real: 0, false: 0, none: 0 };
  for (const row of index.detections) of[markOf(row) ?? "none"]++;
  $("counts").textContent =
    `${shown.length.toLocaleString("en")} of ${many(index.detections.length, "alarm")}` +
    ` · ${of.real} real, ${of.false} false, ${of.none} not marked`;
  $("threshold-value").textContent = number(threshold, 3);
}

/** Make the rows that can be seen, and a few around them; forget the others. */
function drawRows() {
  const list = $("list");
  const first = Math.max(0, Math.floor(list.scrollTop / rowHeight) - 4);
  const last = Math.min(
    shown.length,
    Math.ceil((list.scrollTop + list.clientHeight) / rowHeight) + 4,
  );
  for (const [place, made] of rowsById) {
    if (place < first || place >= last) {
      made.remove();
      rowsById.delete(place);
    }
  }
  for (let place = first; place < last; place++) {
    if (!rowsById.has(place)) {
      const made = makeRow(shown[place], place);
      rowsById.set(place, made);
      $("rows").append(made);
    }
  }
}

function makeRow(row, place) {
  const made = element("div", "row");
  made.id = `alarm-${place}`;
  made.dataset.place = place;
  made.style.transform = `translateY(${place * rowHeight}px)`;
  made.setAttribute("role", "option");
  made.setAttribute("aria-setsize", shown.length);
  made.setAttribute("aria-posinset", place + 1);
  const thumbnail = element("div", "thumbnail");
  const layout = index.thumbnail,
    sheet = Math.floor(row.number / layout.per_sheet);
  const onSheet = Math.min(layout.per_sheet, countOf[row.sequence] - sheet * layout.per_sheet);
  const key = index.sequences[row.sequence].key;
  showTile(
    thumbnail,
    `thumbnails/${key}-${String(sheet).padStart(4, "0")}.jpg`,
    row.number % layout.per_sheet,
    layout,
    80,
    onSheet,
  );
  const head = element("div", "row-head");
  head.append(
    element("span", "row-name", nameOf(row)),
    element("span", "row-time", period(index.sequences[row.sequence], row.first, row.last)),
    element("span", "row-mark"),
    element("span", "row-score", number(row.score)),
  );
  const text = element("div");
  text.append(head, element("div", "row-text", shortSentence(row)));
  made.append(thumbnail, text);
  dress(made, row);
  return made;
}

/** The sentence without the time, which stands above it. */
function shortSentence({ sentence, place }) {
  const start = sentence.indexOf(`${place}: `);
  return start < 0
    ? sentence
    : place[0].toUpperCase() + place.slice(1) + sentence.slice(start + place.length);
}

/** Selection and mark of a row. */
function dress(made, row) {
  const mark = markOf(row);
  made.setAttribute("aria-selected", row === chosen);
  made.classList.toggle("is-false", mark === "false");
  const sign = made.querySelector(".row-mark");
  sign.className = `row-mark ${mark ?? ""}`;
  sign.textContent = { real: "✓ real", false: "✕ false" }[mark] ?? "";
}

function redress() {
  for (const [place, made] of rowsById) dress(made, shown[place]);
  const place = shown.indexOf(chosen);
  if (place >= 0) $("list").setAttribute("aria-activedescendant", `alarm-${place}`);
  else $("list").removeAttribute("aria-activedescendant");
}

function scrollTo(place) {
  const list = $("list"),
    top = place * rowHeight;
  if (top < list.scrollTop) list.scrollTop = top;
  else if (top + rowHeight > list.scrollTop + list.clientHeight) {
    list.scrollTop = top + rowHeight - list.clientHeight;
  }
  drawRows();
}

async function choose(row, { open = true, at } = {}) {
  chosen = row;
  const place = shown.indexOf(row);
  if (place >= 0) scrollTo(place);
  redress();
  $("detail").hidden = !row;
  $("unchosen").hidden = Boolean(row) || !shown.length;
  player.stop();
  if (!row) {
    document.body.classList.remove("opened");
    return;
  }
  if (open && !document.body.classList.contains("opened")) {
    document.body.classList.add("opened");
    if (narrow.matches) $("detail").focus();
  }
  showHead(row, place);
  let content;
  try {
    content = await data(index.sequences[row.sequence].key);
  } catch (error) {
    say(error.message);
    return;
  }
  if (chosen === row) showDetail(row, content.detections[row.number], content.shown, at);
}

function move(step) {
  if (!shown.length) return;
  const place = shown.indexOf(chosen);
  const next = place < 0 ? 0 : Math.min(Math.max(place + step, 0), shown.length - 1);
  if (shown[next] !== chosen) choose(shown[next]);
}

/** Mark the chosen alarm; the same mark again takes it away. */
function mark(kind) {
  if (!chosen) return;
  const { key } = chosen,
    place = shown.indexOf(chosen);
  if (!kind || marks[key] === kind) delete marks[key];
  else marks[key] = kind;
  store.set(marksKey(), JSON.stringify(marks));
  if (store.fails)
    say("This browser keeps no marks of pages on disk: export them before you leave.");
  if (passes(chosen)) {
    tell();
    redress();
    showMark();
    return;
  }
  refilter();
  choose(shown[Math.min(place, shown.length - 1)] ?? null);
}

function showMark() {
  for (const kind of ["real", "false"]) {
    $(`mark-${kind}`).setAttribute("aria-pressed", String(markOf(chosen) === kind));
  }
}

function exportMarks() {
  const listed = index.detections.filter(markOf).map((row) => ({
    sequence: nameOf(row),
    id: row.id,
    first_frame: row.first,
    last_frame: row.last,
    peak_frame: row.peak,
    region: row.region,
    score: row.score,
    mark: markOf(row),
  }));
  const content = {
    schema: 1,
    dataset: index.dataset,
    version: index.version,
    stamp: index.stamp,
    threshold: index.threshold,
    frames: "0-based, inclusive",
    marks: listed,
  };
  const link = element("a");
  link.href = URL.createObjectURL(
    new Blob([JSON.stringify(content, null, 2) + "\n"], { type: "application/json" }),
  );
  link.download = `marks_${index.dataset}_${index.version}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  say(`${many(listed.length, "mark")} exported`);
}

async function importMarks(file) {
  try {
    const content = JSON.parse(await file.text());
    if (content.schema !== 1 || !Array.isArray(content.marks)) throw new Error();
    if (content.dataset !== index.dataset) {
      say(`These marks are of ${content.dataset}, this report is of ${index.dataset}.`);
      return;
    }
    take(content.marks);
  } catch {
    say(`${file.name}: not a file of exported marks`);
  }
}

function take(listed) {
  const known = new Set(index.detections.map((row) => row.key));
  let taken = 0;
  for (const m of listed) {
    const key = keyOf(m.sequence, m.first_frame, m.last_frame, m.peak_frame, m.region);
    if (!known.has(key) || !["real", "false"].includes(m.mark)) continue;
    marks[key] = m.mark;
    taken++;
  }
  store.set(marksKey(), JSON.stringify(marks));
  refilter();
  redress();
  if (chosen) showMark();
  say(
    `${taken} of ${many(listed.length, "mark")} taken` +
      (taken < listed.length ? "; the others fit no alarm here" : ""),
  );
}
