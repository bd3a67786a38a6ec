// The live picture with heat map, and outlines of the alarms that have begun.

const LATE_S = 5; // after so long without a frame, the page says so
const AGAIN_MS = 1500; // pause before the watch is asked again after it did not answer

const view = {
  shown: null, // the newest answer that has a picture
  picture: null,
  heat: null,
  seenAt: 0,

  draw() {
    if (!this.picture) return;
    const canvas = $("screen"),
      { shown } = this;
    const { naturalWidth, naturalHeight } = this.picture,
      zoom = Math.max(1, Math.min(3, Math.round(960 / naturalWidth))), // for fine outlines
      width = zoom * naturalWidth,
      height = zoom * naturalHeight;
    if (canvas.width !== width || canvas.height !== height) {
      Object.assign(canvas, { width, height });
      canvas.parentElement.style.setProperty("--wide", width / height);
    }
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(this.picture, 0, 0, width, height);
    if ($("heat").checked && this.heat) {
      const [down, across] = shown.covers;
      context.imageSmoothingEnabled = false;
      context.drawImage(this.heat, 0, 0, width * across, height * down);
      context.imageSmoothingEnabled = true;
    }
    if ($("boxes").checked) {
      for (const { box } of alarms.listed.filter(isBegun)) {
        if (box) strokeBox(context, box, width / shown.width_px, []);
      }
    }
    $("clock").textContent = `Frame ${shown.frame + 1} · ${clockTime(shown.time)}`;
    canvas.setAttribute("aria-label", `Live picture, frame ${shown.frame + 1}`);
  },

  async take(answer) {
    const [picture, heat] = await Promise.all([
      decoded("jpeg", answer.picture),
      answer.heat && decoded("png", answer.heat),
    ]);
    Object.assign(this, { shown: answer, picture, heat, seenAt: performance.now() });
    this.draw();
  },
};

const isBegun = (alarm) => alarm.state === "begun";

async function decoded(type, text) {
  const made = new Image();
  made.src = `data:image/${type};base64,${text}`;
  await made.decode();
  return made;
}

const clockTime = (seconds) => new Date(1000 * seconds).toLocaleTimeString("en-GB");
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class Refused extends Error {}

/** Ask the watch; an answer other than its content is an error. */
async function ask(address, options = {}) {
  const answer = await fetch(address, { signal: AbortSignal.timeout(15000), ...options });
  if (!answer.ok) throw new Refused((await answer.text()).trim());
  return answer.json();
}

/** Show picture after picture, for as long as the page is open. */
async function followPictures() {
  for (;;) {
    try {
      const answer = await ask(`/picture?after=${view.shown?.serial ?? 0}`);
      if (answer.picture) await view.take(answer);
    } catch {
      await pause(AGAIN_MS); // what is wrong, the state says
    }
    if (document.hidden) await shownAgain();
  }
}

const shownAgain = () =>
  new Promise((resolve) => {
    document.addEventListener("visibilitychange", resolve, { once: true });
  });
