// Elements and words: what other parts build the page from.

const $ = (id) => document.getElementById(id);

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function drawing(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const number = (value, digits = 2) => value.toFixed(digits);
const percent = (share) => `${Math.round(100 * share)} %`;
const many = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
const frames = (first, last) =>
  first === last ? `frame ${first + 1}` : `frames ${first + 1}–${last + 1}`;

/** When a frame of a sequence begins, in seconds, which is when the one before it ends. */
function timeOf(sequence, frame) {
  const { times_s: times, frames_per_second: rate } = sequence;
  if (!times) return frame / rate;
  const last = times.length - 1;
  const lasts = times[last] - times[last - 1];
  return frame <= last ? times[frame] : times[last] + (frame - last) * lasts;
}

function seconds(sequence, frame) {
  const s = timeOf(sequence, frame);
  if (s < 60) return `${number(s, 1)} s`;
  const hours = Math.floor(s / 3600);
  const minutes = String(Math.floor(s / 60) % 60).padStart(hours ? 2 : 1, "0");
  const rest = `${minutes}:${number(s % 60, 1).padStart(4, "0")}`;
  return hours ? `${hours}:${rest}` : rest;
}

const period = (sequence, first, last) =>
  `${seconds(sequence, first)} – ${seconds(sequence, last + 1)}`;

function say(text) {
  $("status").textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => {
    $("status").textContent = "";
  }, 4000);
}
