// The cards of running jobs.

import { byId, el, icon, Keyed, setAttr, setBadges, setStyle, setText, show } from "./dom.js";
import { basics, clock, many, stage, title } from "./words.js";

export class Now {
  constructor(store, tools) {
    this.cards = new Keyed(byId("now-list"), (entry) => card(entry, store, tools));
    this.none = byId("now-empty").firstElementChild.firstElementChild;
    if (byId("example")) setText(byId("example"), `curl -LO '${location.origin}/grab/webp/256/256/orbit?duration=2000&fps=15'`);
  }

  /** `hidden`: how many run that the filter does not find. */
  draw(running, hidden) {
    this.cards.draw(running);
    show(byId("now-empty"), running.length === 0);
    setText(this.none, hidden ? `Nothing that runs is like this (${hidden} not shown).` : "Nothing is running.");
    byId("now-empty").classList.toggle("brief", hidden > 0);
  }

  tick() {
    this.cards.tick();
  }
}

function card(entry, store, { act, may, picked }) {
  const img = el("img", { alt: "", draggable: "false" });
  const shot = el("div", { class: "shot" }, img);
  const name = el("h3", { dir: "auto" });
  const badges = el("p", { class: "badges" });
  const fill = el("span");
  const bar = el("div", { class: "bar", role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100" }, fill);
  const what = el("span", { class: "what" });
  const percent = el("span", { class: "percent" });
  const detail = el("span", { class: "detail", dir: "auto" });
  const elapsed = el("span", { class: "elapsed", title: "Since it started, and what is left by its rate and the mean" });
  const cancel = may.act.includes(entry.job.kind) ? cancelButton(() => act(entry.id, "cancel")) : null;
  const box = cancel && picked.box(entry.id, title(entry.job));
  const node = el(
    "li",
    { class: "card run", tabindex: "-1", data: { id: entry.id, card: "now" } },
    shot,
    el(
      "div",
      { class: "body" },
      el("div", { class: "title" }, box, name, cancel),
      badges,
      el("p", { class: "line" }, what, percent),
      bar,
      el("p", { class: "line soft" }, detail, elapsed),
    ),
  );
  let preview = "";
  let started = 0;
  const tick = () => {
    const left = entry.job.state === "cancelling" ? null : store.left(entry);
    setText(elapsed, `${clock(store.now() - started)}${left === null ? "" : ` · ≈ ${clock(left + 999)} left`}`);
  };

  function update({ job, preview: newest, frames }) {
    picked.draw(node, box, entry.id, title(job));
    const facts = job.facts ?? {};
    started = job.started;
    setText(name, title(job));
    setAttr(name, "title", title(job));
    const attempt = job.attempt > 1 ? [[`attempt ${job.attempt}`, "warn"]] : [];
    setBadges(badges, [...basics(job), ...attempt]);
    setText(what, stage(job));
    setText(percent, `${job.percent} %`);
    const text = job.detail || (frames[1] ? `${frames[0]} of ${many(frames[1], "frame", "frames")}` : "");
    setText(detail, text);
    setAttr(detail, "title", text);
    setAttr(bar, "aria-label", `Progress of ${title(job)}`);
    setAttr(bar, "aria-valuenow", job.percent);
    setStyle(fill, "transform", `scaleX(${job.percent / 100})`);
    if (facts.width && facts.height) {
      // The preview is a square: stretched back to what the file will be.
      const ratio = facts.width / facts.height;
      setStyle(img, "width", `${Math.min(1, ratio) * 100}%`);
      setStyle(img, "height", `${Math.min(1, 1 / ratio) * 100}%`);
    }
    if (newest && newest !== preview) {
      img.src = `data:image/jpeg;base64,${newest}`;
      setAttr(img, "alt", `Newest frame of ${title(job)}`);
    } else if (!newest && preview) {
      img.removeAttribute("src");
      img.alt = "";
    }
    preview = newest;
    node.classList.toggle("waiting", !preview);
    setAttr(node, "data-state", job.state);
    if (cancel) drawCancel(cancel, job);
    tick();
  }

  return { node, update, tick };
}

function cancelButton(click) {
  return el("button", { type: "button", class: "quiet small", on: { click } }, icon("cross"), el("span", { text: "Cancel" }));
}

function drawCancel(button, job) {
  const word = job.state === "cancelling" ? "Cancelling" : "Cancel";
  setText(button.lastElementChild, word);
  setAttr(button, "aria-label", `${word} ${title(job)}`);
  setAttr(button, "aria-disabled", job.state === "cancelling" && "true");
}
