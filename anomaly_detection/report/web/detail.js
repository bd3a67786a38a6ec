// One alarm: its sentence and its clip; and, as far as its detector gives them, the nearest normal
// exemplar, attributes, and shares of the distance.

const ROSE_BINS = 12;
const SHARE_COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9"];

function showHead(row, place) {
  $("detail").setAttribute("aria-label", `Alarm ${place + 1} of ${shown.length}`);
  $("detail-title").textContent = nameOf(row);
  $("detail-when").textContent = [
    row.place,
    frames(row.first, row.last),
    period(index.sequences[row.sequence], row.first, row.last),
    `score ${number(row.score, 3)}`,
  ].join(" · ");
  $("sentence").textContent = row.sentence;
  $("previous").disabled = place <= 0;
  $("next").disabled = place === shown.length - 1;
  showMark();
}

function showDetail(row, detail, shownFrames, at) {
  player.open(row, detail, shownFrames, at);
  const { peak, nearest } = detail;
  showPair(peak, nearest);
  showPart("expected", detail.expected ? expectedPart(detail.expected) : []);
  showPart("attributes", nearest ? attributes(detail) : []);
  showPart("shares", peak.shares ? shares(peak.shares) : []);
}

/** Fill a part of the page and its title; neither is shown where there is nothing to show. */
function showPart(id, made) {
  $(id).replaceChildren(...made);
  $(id).hidden = $(`${id}-title`).hidden = !made.length;
}

function showPair(peak, nearest) {
  $("pair-title").textContent = nearest ? "Beside what is normal here" : "The alarm, enlarged";
  $("seen-caption").textContent = `Now: ${frames(peak.first_frame, peak.last_frame)}`;
  $("known-figure").hidden = !nearest;
  $("known-caption").textContent = nearest ? nearestWords(peak, nearest) : "";
  const volumes = nearest ? { seen: peak, known: nearest } : { seen: peak };
  player.pair = Object.entries(volumes).map(([id, volume]) => ({
    canvas: $(id),
    volume,
    strip: image(volume.strip),
  }));
  for (const { strip } of player.pair) strip.ready.then(() => player.draw());
}

/** What networks saw, put out, and by how much they failed: a row for each network. */
function expectedPart({ picture, rows }) {
  const heads = element("div", "expected-heads small"),
    list = element("ol", "small expected-rows");
  heads.append(...["Seen", "Expected", "Error"].map((name) => element("span", "", name)));
  const shown = image(picture);
  shown.alt = `Seen, expected and error, in rows from above: ${rows.join("; ")}`;
  list.append(...rows.map((row) => element("li", "", row)));
  return [heads, shown, list];
}

const nearestWords = (peak, nearest) =>
  [
    `Nearest normal: ${nearest.sequence}, ${frames(nearest.first_frame, nearest.last_frame)}`,
    ...(nearest.mined_round ? [`mined in round ${nearest.mined_round}`] : []),
    `stands for ${many(nearest.count, "volume")}`,
    `distance ${number(peak.distance, 3)}`,
  ].join("; ");

function attributes(detail) {
  const { peak, normal, unusual } = detail,
    seen = peak.attributes;
  const carried = Object.fromEntries(unusual.map((u) => [u.attribute, u]));
  const made = unusual.filter((u) => u.attribute in UNSEEN).map(unseenPart);
  const own = normalOfClass(seen, normal);
  if (seen.moving_share !== null) {
    made.push(scaleBar("Speed", seen.speed, own.speed, PX_PER_FRAME, carried.speed, own.whose));
    made.push(
      scaleBar(
        "Pixels that move",
        seen.moving_share,
        normal.moving_share,
        PERCENT,
        carried.moving_share,
      ),
    );
    made.push(directionPart(seen, own, detail.normal_rose, carried.direction));
  }
  if (seen.classes) made.push(classPart(seen, normal.classes ?? {}, carried.class));
  if (!made.length)
    made.push(element("p", "small", "This version has no attributes that people can read."));
  return made;
}

/** What is unusual without a number: attribute to its words, from its value. */
const UNSEEN = {
  class: (name) => `No ${name} is normal in this scene`,
  place: (name) => (name ? `No ${name} is normal here` : "Nothing ever moved here"),
  standing: (name) =>
    name ? `No ${name} stands here normally` : "It stands still, unlike all that is normal here",
  new_still: () => "Something new stands still here, and nothing like it did in training video",
  looks: () => "It looks unlike all that is normal here",
};

const unseenPart = (entry) =>
  element("p", "outside", UNSEEN[entry.attribute](entry.value) + carries(entry));

/** Normal speed and directions of the class that is seen, where they are known, or else of all. */
function normalOfClass(seen, normal) {
  const own = normal.by_class?.[seen.class];
  const enough = own && own.moving_volumes >= LEAST_VOLUMES;
  return enough ? { ...own, whose: ` for a ${seen.class}` } : { ...normal, whose: "" };
}

/** A class has ranges of its own from so many volumes on, as in explanations. */
const LEAST_VOLUMES = 10;

function attributeHead(name, value, entry) {
  const head = element("div", "attribute-head");
  head.append(element("b", "", name), element("span", entry ? "outside" : "", value));
  return head;
}

const PX_PER_FRAME = { text: (v) => number(v, 1), name: " px/frame" };
const PERCENT = { text: (v) => String(Math.round(100 * v)), name: " %" };
const carries = (entry) =>
  entry?.share ? `; seen in ${entry.component}, ${percent(entry.share)} of the distance` : "";

/** A value on a scale with the normal range; without an entry it is not unusual. */
function scaleBar(name, value, range, unit, entry, whose = "") {
  const part = element("div");
  const [low, high] = range ?? [0, 0];
  let verdict = "";
  if (value !== null && range)
    verdict = value > high ? ", above normal" : value < low ? ", below normal" : ", normal";
  part.append(
    attributeHead(
      name,
      value === null ? "nothing moves" : unit.text(value) + unit.name + verdict,
      entry,
    ),
  );
  const top = Math.max(value ?? 0, high, 1e-9) * 1.12,
    at = (v) => `${(100 * v) / top}%`;
  const scale = element("div", "scale");
  if (range) {
    const band = element("div", "range");
    band.style.left = at(low);
    band.style.width = at(high - low);
    scale.append(band);
  }
  if (value !== null) {
    const needle = element("div", entry ? "value outside" : "value");
    needle.style.left = at(value);
    scale.append(needle);
  }
  const ends = [...new Set([low, high].map(unit.text))].join(" to ");
  part.append(
    scale,
    element(
      "div",
      "small",
      `Normal here${whose}: ${range ? ends + unit.name : "nothing moves"}${carries(entry)}`,
    ),
  );
  return part;
}

function directionPart(seen, normal, rose, entry) {
  const part = element("div");
  part.append(attributeHead("Direction", seen.direction ?? "none in common", entry));
  const body = element("div", "with-rose");
  const words = directionWords(normal.directions, normal.whose);
  body.append(
    roseOf(
      rose,
      seen.direction_share,
      `Directions now: ${seen.direction ?? "none in common"}; ${words}`,
    ),
    element("div", "small", `${words}${carries(entry)}. Filled: normal; outlined: now.`),
  );
  part.append(body);
  return part;
}

function directionWords(directions, whose = "") {
  return `Normal here${whose}: ${directionShares(directions) || "no direction"}`;
}

function directionShares(directions) {
  const named = Object.entries(directions ?? {}).slice(0, 4);
  return named.map(([word, share]) => `${word} ${percent(share)}`).join(", ");
}

/** Wedges of 30 degrees, clockwise from the right, their area as large as the share. */
function roseOf(known, seen, label) {
  const svg = drawing("svg", {
    class: "rose",
    viewBox: "-52 -52 104 104",
    role: "img",
    "aria-label": label,
  });
  for (const radius of [25, 50]) svg.append(drawing("circle", { class: "ring", r: radius }));
  const top = Math.max(...(known ?? [0]), ...(seen ?? [0]), 1e-9);
  const total = (seen ?? []).reduce((a, b) => a + b, 0);
  for (const [shares, name] of [
    [known, "known"],
    [total > 0 ? seen : null, "seen"],
  ]) {
    const wedges = (shares ?? []).map((share, bin) =>
      share > 0.004 ? wedge(bin, 50 * Math.sqrt(share / top)) : "",
    );
    if (wedges.some(Boolean)) svg.append(drawing("path", { class: name, d: wedges.join("") }));
  }
  return svg;
}

function wedge(bin, radius) {
  const at = (k) => [
    radius * Math.cos((2 * Math.PI * k) / ROSE_BINS),
    radius * Math.sin((2 * Math.PI * k) / ROSE_BINS),
  ];
  const [x0, y0] = at(bin),
    [x1, y1] = at(bin + 1);
  const r = number(radius);
  return `M0 0L${number(x0)} ${number(y0)}A${r} ${r} 0 0 1 ${number(x1)} ${number(y1)}Z`;
}

function classPart({ classes: seen, class: best }, normal, entry) {
  const part = element("div");
  const names = Object.keys(seen).filter((name) => seen[name] >= 0.1 || (normal[name] ?? 0) >= 0.1);
  names.sort((a, b) => seen[b] - seen[a]);
  part.append(attributeHead("Class", best ?? "none of the known", entry));
  for (const name of names) {
    const line = element("div", "class-row"),
      bars = element("div", "class-bars");
    for (const [kind, share] of [
      ["", seen[name]],
      [" known", normal[name] ?? 0],
    ]) {
      const bar = element("div", `bar${kind}`);
      bar.style.width = `${100 * share}%`;
      bars.append(bar);
    }
    line.append(
      element("span", "", name),
      bars,
      element("span", "small", `${percent(seen[name])}, normal ${percent(normal[name] ?? 0)}`),
    );
    part.append(line);
  }
  return part;
}

function shares(parts) {
  const entries = Object.entries(parts).sort((a, b) => b[1] - a[1]);
  if (entries.length === 1)
    return [element("p", "small", `All of it is of one kind: ${entries[0][0]}.`)];
  const bar = element("div", "share-bar"),
    list = element("ul", "share-list");
  bar.setAttribute("aria-hidden", "true");
  entries.forEach(([name, share], place) => {
    const colour = SHARE_COLOURS[place % SHARE_COLOURS.length];
    const piece = element("i"),
      swatch = element("i", "swatch"),
      item = element("li");
    piece.style.flex = String(share);
    piece.style.background = swatch.style.background = colour;
    bar.append(piece);
    item.append(swatch, `${name} ${percent(share)}`);
    list.append(item);
  });
  return [bar, list];
}
