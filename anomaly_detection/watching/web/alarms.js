// The last alarms: sentence, clip, and the marks of a person.

const KIND_WORDS = {
  anomaly: "Alarm",
  frozen: "Picture frozen",
  black: "Picture black",
  moved: "Camera moved",
  resized: "Picture size changed",
  gone: "Camera gone",
  back: "Camera back",
};

const alarms = {
  listed: [], // newest first
  made: new Map(), // id -> element
  chosen: null, // id

  take(listed) {
    this.listed = listed;
    const known = new Set(listed.map((alarm) => alarm.id));
    for (const [id, made] of this.made) {
      if (known.has(id)) continue;
      made.remove();
      this.made.delete(id);
    }
    let before = null;
    for (const alarm of listed) {
      const made = this.made.get(alarm.id) ?? makeAlarm(alarm.id);
      this.made.set(alarm.id, made);
      const place = before ? before.nextSibling : $("list").firstChild;
      if (place !== made) $("list").insertBefore(made, place); // not moved: a clip goes on playing
      before = made;
      dress(made, alarm);
    }
    $("nothing").hidden = listed.length > 0;
    tell();
  },

  get(id) {
    return this.listed.find((alarm) => alarm.id === id);
  },
};

const hasClip = (alarm) => alarm.has_clip && !isBegun(alarm); // it is written in the end
const canMark = (alarm) => alarm.kind === "anomaly" && alarm.state === "ended";

function makeAlarm(id) {
  const made = element("li", "alarm");
  made.tabIndex = -1;
  const head = element("div", "row-head");
  head.append(
    element("span", "row-name"),
    element("span", "row-time"),
    element("span", "row-score"),
  );
  const acts = element("div", "acts");
  for (const [kind, text] of [
    ["real", "✓ Real"],
    ["false", "✕ False"],
  ]) {
    const button = element("button", `mark ${kind}`, text);
    button.addEventListener("click", () => {
      choose(id);
      mark(kind);
    });
    acts.append(button);
  }
  const clip = element("button", "clip-button", "▶ Clip");
  clip.addEventListener("click", () => {
    choose(id);
    toggleClip();
  });
  acts.append(clip);
  for (const button of acts.children) button.type = "button";
  made.append(head, element("p", "text"), acts);
  made.addEventListener("click", () => choose(id));
  return made;
}

function dress(made, alarm) {
  const put = (selector, text) => {
    made.querySelector(selector).textContent = text;
  };
  put(".row-name", KIND_WORDS[alarm.kind] ?? alarm.kind);
  put(".row-time", when(alarm));
  put(".row-score", typeof alarm.score === "number" ? number(alarm.score, 3) : "");
  put(".text", alarm.sentence);
  made.classList.toggle("is-camera", alarm.kind !== "anomaly" && alarm.kind !== "back");
  made.classList.toggle("is-false", alarm.mark === "false");
  for (const button of made.querySelectorAll(".mark")) {
    const pressed = button.classList.contains(alarm.mark ?? "none");
    button.setAttribute("aria-pressed", String(pressed));
    button.hidden = alarm.kind !== "anomaly";
    button.disabled = !canMark(alarm);
    button.title = canMark(alarm) ? "" : "Can be marked when it is over";
  }
  made.querySelector(".clip-button").hidden = !hasClip(alarm);
  made.querySelector(".acts").hidden = alarm.kind !== "anomaly" && !hasClip(alarm);
}

function when(alarm) {
  const began = new Date(alarm.began),
    day = began.toLocaleDateString("en-CA");
  const today = new Date().toLocaleDateString("en-CA");
  const time = began.toLocaleTimeString("en-GB");
  const start = day === today ? time : `${day} ${time}`;
  if (isBegun(alarm)) return `${start} · goes on`;
  if (!alarm.ended) return start;
  return `${start} · ${number((new Date(alarm.ended) - began) / 1000, 1)} s`;
}

function tell() {
  const { listed } = alarms;
  const of = (kind) => listed.filter((alarm) => alarm.mark === kind).length;
  $("tally").textContent =
    `the last ${many(listed.length, "alarm")} · ${of("real")} real, ${of("false")} false`;
}

function choose(id) {
  alarms.made.get(alarms.chosen)?.removeAttribute("aria-current");
  alarms.chosen = id;
  alarms.made.get(id)?.setAttribute("aria-current", "true");
}

function move(step) {
  const place = alarms.listed.findIndex((alarm) => alarm.id === alarms.chosen);
  const next = Math.min(Math.max(place + step, 0), alarms.listed.length - 1);
  if (next < 0) return;
  choose(alarms.listed[next].id);
  alarms.made.get(alarms.chosen).focus();
}

/** Mark the chosen alarm; the same mark again takes it away. */
async function mark(kind) {
  const alarm = alarms.get(alarms.chosen);
  if (!alarm || !canMark(alarm)) return;
  const wanted = kind === alarm.mark ? null : kind;
  try {
    await ask("/marks", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ id: alarm.id, mark: wanted }),
    });
  } catch (error) {
    say(error instanceof Refused ? error.message : "The watch does not answer: not marked.");
    return;
  }
  const present = alarms.get(alarm.id);
  if (!present) return;
  present.mark = wanted;
  dress(alarms.made.get(alarm.id), present);
  tell();
}

function toggleClip() {
  const alarm = alarms.get(alarms.chosen),
    made = alarms.made.get(alarms.chosen);
  if (!alarm || !hasClip(alarm)) return;
  const shown = made.querySelector("video"),
    button = made.querySelector(".clip-button");
  button.textContent = shown ? "▶ Clip" : "✕ Clip";
  if (shown) {
    shown.remove();
    return;
  }
  const video = element("video");
  Object.assign(video, { controls: true, autoplay: true, loop: true, muted: true });
  video.playsInline = true;
  video.addEventListener("error", () => say("This clip is not written yet, or is gone."));
  video.src = `/clips/${encodeURIComponent(alarm.id)}`;
  made.append(video);
}
