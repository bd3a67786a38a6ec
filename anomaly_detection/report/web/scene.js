// The picture of the scene, and what is normal at each place.

const scene = {
  content: null,
  region: null,

  async open() {
    if (this.content) return;
    $("scene-picture").src = pictureUrl("scene.jpg");
    try {
      this.content = await data("scene");
    } catch (error) {
      say(error.message);
      return;
    }
    this.shade();
    const [rows, columns] = this.content.regions;
    this.show(Math.floor(rows / 2) * columns + Math.floor(columns / 2));
  },

  /** Left, top, width and height of a region as shares of the picture. */
  box(region) {
    const { regions, size_px, stride_px } = this.content;
    const x = (region % regions[1]) * stride_px,
      y = Math.floor(region / regions[1]) * stride_px;
    const width = Math.min(size_px, index.width_px - x),
      height = Math.min(size_px, index.height_px - y);
    return [
      x / index.width_px,
      y / index.height_px,
      width / index.width_px,
      height / index.height_px,
    ];
  },

  shade() {
    const { normal, stride_px } = this.content,
      canvas = element("canvas");
    Object.assign(canvas, { width: index.width_px * 2, height: index.height_px * 2 });
    const context = canvas.getContext("2d");
    const most = Math.max(...normal.map((n) => n.exemplars), 2);
    normal.forEach(({ exemplars }, region) => {
      const share = Math.log(exemplars) / Math.log(most);
      if (share <= 0) return;
      const [x, y, width, height] = this.box(region),
        side = 2 * (1 + 0.42 * stride_px * share);
      context.fillStyle = "rgb(127 231 255 / .62)";
      context.fillRect(
        (x + width / 2) * canvas.width - side / 2,
        (y + height / 2) * canvas.height - side / 2,
        side,
        side,
      );
    });
    $("scene-regions").replaceChildren(canvas);
    $("scene-regions").hidden = !$("scene-shade").checked;
  },

  /** The region whose middle is nearest to a place, given as shares of the picture. */
  at(x, y) {
    const { regions, size_px, stride_px } = this.content;
    const step = (share, side, count) =>
      Math.min(Math.max(Math.round((share * side - size_px / 2) / stride_px), 0), count - 1);
    return step(y, index.height_px, regions[0]) * regions[1] + step(x, index.width_px, regions[1]);
  },

  move(down, across) {
    const [rows, columns] = this.content.regions;
    const row = Math.min(Math.max(Math.floor(this.region / columns) + down, 0), rows - 1);
    const column = Math.min(Math.max((this.region % columns) + across, 0), columns - 1);
    this.show(row * columns + column);
  },

  show(region) {
    this.region = region;
    const [x, y, width, height] = this.box(region).map((share) => `${100 * share}%`);
    Object.assign($("scene-chosen").style, { left: x, top: y, width, height });
    $("scene-chosen").hidden = false;
    const normal = this.content.normal[region];
    $("normal").replaceChildren(...this.describe(region, normal));
  },

  describe(region, normal) {
    const [left, top, width, height] = this.box(region),
      x = Math.round(left * index.width_px),
      y = Math.round(top * index.height_px);
    const right = x + Math.round(width * index.width_px),
      foot = y + Math.round(height * index.height_px);
    const made = [
      element("h2", "", `Normal at x ${x}–${right}, y ${y}–${foot}`),
      element("p", "muted", normalWords(normal)),
    ];
    if (normal.moving_share) {
      const body = element("div", "with-rose"),
        words = directionWords(normal.directions);
      body.append(roseOf(normal.rose, null, words), element("p", "small", words));
      const ranges = element("div", "attributes");
      ranges.append(
        scaleBar("Speed", null, normal.speed, PX_PER_FRAME),
        scaleBar("Pixels that move", null, normal.moving_share, PERCENT),
      );
      for (const verdict of ranges.querySelectorAll(".attribute-head span")) verdict.remove();
      made.push(
        element("h3", "", "Directions"),
        body,
        element("h3", "", "Speed and movement"),
        ranges,
      );
    }
    if (normal.classes) made.push(element("h3", "", "Classes"), ...normalClasses(normal));
    made.push(element("h3", "", exemplarTitle(normal)), this.exemplars(region, normal));
    return made;
  },

  exemplars(region, normal) {
    const list = element("ul", "exemplars"),
      [height, width] = this.content.tile;
    normal.shown.forEach((exemplar, place) => {
      const item = element("li"),
        picture = element("div", "exemplar");
      const mined = exemplar.mined_round ? `, mined in round ${exemplar.mined_round}` : "";
      const where =
        `${exemplar.sequence}, ${frames(exemplar.first_frame, exemplar.last_frame)}` + mined;
      const [x0, y0, x1, y1] = normal.region_in_tile.map((share) => `${100 * share}%`),
        inner = element("i");
      Object.assign(inner.style, {
        left: x0,
        top: y0,
        right: `calc(100% - ${x1})`,
        bottom: `calc(100% - ${y1})`,
      });
      picture.append(inner);
      showTile(
        picture,
        `scene/${String(region).padStart(4, "0")}.jpg`,
        place,
        { width, height, columns: this.content.columns },
        84,
        normal.shown.length,
      );
      picture.setAttribute("role", "img");
      picture.setAttribute("aria-label", where);
      item.append(
        picture,
        element("b", "", `× ${exemplar.count.toLocaleString("en")}`),
        element("small", "", exemplarWords(exemplar)),
        element("small", "", where),
      );
      list.append(item);
    });
    return list;
  },
};

function exemplarTitle({ shown, exemplars }) {
  return shown.length < exemplars
    ? `Exemplars, the ${shown.length} most frequent of ${exemplars}`
    : "Exemplars";
}

function normalWords(normal) {
  const { exemplars, volumes } = normal;
  const words = `${many(exemplars, "exemplar")} for ${many(volumes, "volume")} of training video.`;
  if (normal.moving_volumes == null) return words;
  return normal.moving_volumes
    ? `${words} Something moves in ${percent(normal.moving_volumes / normal.volumes)} of them.`
    : `${words} Nothing moves here.`;
}

function exemplarWords({ speed, direction, classes }) {
  const best = Object.entries(classes ?? {}).reduce((a, b) => (b[1] > a[1] ? b : a), ["", 0.5])[0];
  const motion =
    speed == null
      ? classes
        ? ""
        : "still"
      : `${direction ?? "no one way"}, ${number(speed, 1)} px/frame`;
  return [best, motion].filter(Boolean).join(", ") || "nothing known";
}

function normalClasses({ classes, by_class: ranges }) {
  const named = Object.entries(classes)
    .filter(([, share]) => share >= 0.02)
    .sort((a, b) => b[1] - a[1]);
  if (!named.length) return [element("p", "small", "None of the known classes.")];
  return named.flatMap(([name, share]) => {
    const line = element("div", "class-row"),
      bar = element("div", "bar known");
    bar.style.width = `${100 * share}%`;
    line.append(element("span", "", name), bar, element("span", "small", percent(share)));
    const words = classMovement(ranges?.[name]);
    return words ? [line, element("p", "small", words)] : [line];
  });
}

/** Where a class normally moves, and how fast. */
function classMovement(ranges) {
  if (!ranges?.speed) return "";
  const [low, high] = ranges.speed.map((speed) => number(speed, 1));
  return `moves ${directionShares(ranges.directions)}; ${low} to ${high} px/frame`;
}
