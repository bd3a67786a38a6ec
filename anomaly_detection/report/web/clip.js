// The clip of an alarm with heat map and outlines, and the two volumes beside it.

const LONGEST_STEP_MS = 250; // after a pause of the page, clips go on where they were

const still = matchMedia("(prefers-reduced-motion: reduce)");
const narrow = matchMedia("(max-width: 820px)");
const cssColour = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const player = {
  row: null,
  detail: null,
  pair: [],
  clip: [],
  place: 0,
  playing: false,
  last: 0,
  due: 0,

  get sequence() {
    return index.sequences[this.row.sequence];
  },

  /** Show a clip from just before the peak, or from a frame. */
  open(row, detail, shownFrames, at) {
    Object.assign(this, { row, detail, shownFrames, pairPlace: 0 });
    const { step } = this.sequence,
      [first, last] = detail.clip;
    this.clip = [];
    for (let p = Math.ceil(first / step); p <= Math.floor(last / step); p++)
      this.clip.push(p * step);
    if (!this.clip.length) this.clip = [Math.floor(last / step) * step];
    const start = at ?? 2 * detail.peak.first_frame - detail.peak.last_frame;
    this.place = Math.max(
      0,
      this.clip.findIndex((frame) => frame >= start),
    );
    $("seek").max = this.clip.length - 1;
    this.setSize();
    this.plot = plotOf(row.sequence, {
      clip: detail.clip,
      onSeek: (frame) => this.seekFrame(frame),
    });
    $("mini").replaceChildren(this.plot);
    const whole = first <= row.first && last >= row.last;
    $("mini-caption").textContent =
      `${nameOf(row)}, ${many(this.sequence.frame_count, "frame")}` +
      (whole ? "" : `; the clip holds ${frames(first, last)} of a longer alarm`);
    this.show(this.place);
    if (!still.matches && at === undefined && this.clip.length > 1) this.play();
  },

  setSize() {
    const { width, height } = index.clip,
      zoom = Math.max(1, Math.min(3, Math.round(960 / width)));
    Object.assign($("screen"), { width: width * zoom, height: height * zoom });
  },

  /** Sheet and tile of a frame. */
  placeOf(frame) {
    let number = 0;
    for (const [first, last] of this.shownFrames) {
      const p = frame / this.sequence.step;
      if (p <= last) {
        number += p - first;
        break;
      }
      number += last - first + 1;
    }
    return [Math.floor(number / index.clip.per_sheet), number % index.clip.per_sheet];
  },

  sheet(kind, sheet) {
    const { key } = this.sequence;
    return image(
      `${kind}/${key}-${String(sheet).padStart(4, "0")}.${kind === "heat" ? "png" : "jpg"}`,
    );
  },

  show(place) {
    this.place = (place + this.clip.length) % this.clip.length;
    const frame = this.clip[this.place],
      { first, last } = this.row;
    $("seek").value = this.place;
    const where =
      frame < first ? "before the alarm" : frame > last ? "after the alarm" : "in the alarm";
    $("clock").textContent = `Frame ${frame + 1} · ${seconds(this.sequence, frame)} · ${where}`;
    $("seek").setAttribute("aria-valuetext", $("clock").textContent);
    const now = this.plot.querySelector(".now");
    now.setAttribute("x1", frame + 0.5);
    now.setAttribute("x2", frame + 0.5);
    this.draw();
  },

  seekFrame(frame) {
    this.pause();
    const later = this.clip.findIndex((f) => f >= frame);
    this.show(later < 0 ? this.clip.length - 1 : later);
  },

  draw() {
    if (!this.row) return;
    const frame = this.clip[this.place],
      [sheet, tile] = this.placeOf(frame);
    const picture = this.sheet("clips", sheet),
      heat = this.sheet("heat", sheet);
    for (const loading of [picture, heat]) {
      if (!loading.complete) loading.ready.then(() => this.row && this.draw());
    }
    if (this.place % index.clip.per_sheet === 0) this.sheet("clips", this.nextSheet(sheet));
    if (!isLoaded(picture)) return;
    const canvas = $("screen"),
      context = canvas.getContext("2d"),
      layout = index.clip;
    const x = tile % layout.columns,
      y = Math.floor(tile / layout.columns);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.drawImage(
      picture,
      x * layout.width,
      y * layout.height,
      layout.width,
      layout.height,
      0,
      0,
      canvas.width,
      canvas.height,
    );
    if ($("heat").checked && isLoaded(heat)) {
      const [rows, columns] = layout.cells,
        [down, across] = layout.covers;
      context.imageSmoothingEnabled = false;
      context.drawImage(
        heat,
        x * columns,
        y * rows,
        columns,
        rows,
        0,
        0,
        canvas.width * across,
        canvas.height * down,
      );
    }
    if ($("boxes").checked) this.outline(context, canvas, frame);
    canvas.setAttribute("aria-label", `${nameOf(this.row)}, frame ${frame + 1}`);
    this.drawPair();
  },

  nextSheet(sheet) {
    const last = this.placeOf(this.clip[this.clip.length - 1])[0];
    return Math.min(sheet + 1, last);
  },

  outline(context, canvas, frame) {
    const { boxes, boxes_from, peak } = this.detail,
      at = 4 * (frame - boxes_from);
    const scale = canvas.width / index.width_px;
    if (frame >= peak.first_frame && frame <= peak.last_frame) {
      strokeBox(context, peak.box_xyxy_px, scale, [5, 4]);
    }
    if (at >= 0 && at < boxes.length) strokeBox(context, boxes.slice(at, at + 4), scale, []);
  },

  drawPair() {
    this.pair.forEach(({ canvas, volume, strip }) => {
      if (!isLoaded(strip)) return;
      const tile = strip.naturalWidth / volume.frames.length,
        zoom = Math.max(1, Math.ceil(320 / tile));
      if (canvas.width !== tile * zoom)
        Object.assign(canvas, { width: tile * zoom, height: strip.naturalHeight * zoom });
      const context = canvas.getContext("2d"),
        place = this.pairPlace % volume.frames.length;
      context.imageSmoothingQuality = "high";
      context.drawImage(
        strip,
        place * tile,
        0,
        tile,
        strip.naturalHeight,
        0,
        0,
        canvas.width,
        canvas.height,
      );
      const [left, top, right] = volume.window,
        [x0, y0, x1, y1] = volume.box_xyxy_px;
      const scale = canvas.width / (right - left);
      if ($("boxes").checked)
        strokeBox(context, [x0 - left, y0 - top, x1 - left, y1 - top], scale, []);
    });
  },

  step(by) {
    this.pause();
    this.pairPlace = Math.max(0, this.pairPlace + by);
    this.show(this.place + by);
  },
  toggle() {
    if (this.playing) this.pause();
    else this.play();
  },

  play() {
    this.setPlaying(true);
    this.last = performance.now();
    this.due = 0;
    requestAnimationFrame((now) => this.tick(now));
  },

  pause() {
    this.setPlaying(false);
  },
  stop() {
    this.pause();
    this.row = null;
    this.pair = [];
  },

  setPlaying(playing) {
    this.playing = playing;
    $("play").classList.toggle("playing", playing);
    $("play").setAttribute("aria-label", playing ? "Pause" : "Play");
  },

  /** How long the picture is shown that stands so many steps after the present one. */
  shownMs(steps) {
    const frame = this.clip[(this.place + steps) % this.clip.length],
      end = frame + this.sequence.step;
    const s = timeOf(this.sequence, end) - timeOf(this.sequence, frame);
    return Math.max(1, (1000 * s) / Number($("speed").value));
  },

  tick(now) {
    if (!this.playing || !this.row) return;
    this.due += Math.min(now - this.last, LONGEST_STEP_MS);
    this.last = now;
    let steps = 0;
    for (let ms = this.shownMs(steps); this.due >= ms; ms = this.shownMs(steps)) {
      this.due -= ms;
      steps += 1;
    }
    if (steps > 0) {
      this.pairPlace += steps;
      this.show(this.place + steps);
    }
    requestAnimationFrame((later) => this.tick(later));
  },
};
