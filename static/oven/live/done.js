// The shelf of results.

import { byId, copy, el, icon, iconButton, Keyed, notice, setAttr, setBadges, setIcon, setText, show } from "./dom.js";
import { near, safe } from "./server.js";
import { ago, basics, bytes, remarks, span, title } from "./words.js";

const FIRST = 24;
const INTENT_MS = 120; // a pointer that only passes by starts nothing
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Done {
  #all = false;

  constructor(store, act, urls) {
    this.cards = new Keyed(byId("done-list"), (entry) => card(entry, store, act, urls));
    byId("done-all").addEventListener("click", () => {
      this.#all = true;
      const first = this.cards.list.children.length;
      store.changed();
      requestAnimationFrame(() => this.cards.list.children[first]?.querySelector("button, a")?.focus());
    });
  }

  draw(ended) {
    this.cards.draw(this.#all ? ended : ended.slice(0, FIRST));
    show(byId("done-more"), !this.#all && ended.length > FIRST);
    show(byId("done-empty"), ended.length === 0);
  }

  tick() {
    this.cards.tick();
  }

  /** Draws the eye to one card. */
  point(id) {
    const node = this.cards.views.get(id)?.node;
    if (!node) return;
    node.scrollIntoView({ block: "nearest", behavior: calm.matches ? "auto" : "smooth" });
    node.classList.add("pointed");
    setTimeout(() => node.classList.remove("pointed"), 2500);
  }
}

function card(entry, store, act, urls) {
  const player = new Player();
  const name = el("h3", { dir: "auto" });
  const badges = el("p", { class: "badges" });
  const facts = el("span");
  const when = el("span", { class: "when" });
  const open = el("a", { class: "icon", target: "_blank", rel: "noopener", title: "Open" }, icon("open"));
  const copier = iconButton("copy", "Copy the address", async () => {
    const copied = await copy(safe(entry.job.facts.url));
    notice(copied ? "Address copied." : "The address could not be copied.", copied ? "info" : "bad");
    if (copied) flash(copier);
  });
  const words = { bake: "Bake again", bundle: "Bundle again", card: "Make again", pin: "Pin again" };
  const anew = words[entry.job.kind] ?? "Grab again";
  const again = iconButton("again", anew, () => act(entry.id, "again"));
  const afresh = iconButton("afresh", "Grab again, without the cache", () => act(entry.id, "again", { skipCache: "true" }));
  const row = el("a", { class: "icon", title: "Its row in the admin" }, icon("row"));
  const node = el(
    "li",
    { class: "card result", data: { id: entry.id } },
    player.node,
    el("div", { class: "body" }, name, badges, el("p", { class: "soft meta" }, facts, when)),
    el("div", { class: "actions" }, open, copier, again, afresh, row),
  );
  player.listen(node);
  const tick = () => setText(when, ago(store.now() - entry.job.ended));

  function update({ job }) {
    const known = job.facts ?? {};
    const text = title(job);
    setText(name, text);
    setAttr(name, "title", text);
    setBadges(badges, [...basics(job), ...remarks(job)]);
    setAttr(node, "data-state", job.state);
    const took = job.started ? span(job.ended - job.started) : "";
    const length = known.length ? span(known.length) : "";
    setText(facts, [length && `${length} long`, known.bytes ? bytes(known.bytes) : "", took].filter(Boolean).join(" · "));
    const all = `${span(job.ended - job.created)} from being asked for`;
    setAttr(facts, "title", job.attempt > 1 ? `${all}, ${job.attempt} attempts` : all);
    const url = near(known.url);
    for (const node of [open, copier]) show(node, Boolean(url));
    if (url) setAttr(open, "href", url);
    setAttr(row, "href", `${urls.admin[job.kind]}?q=${encodeURIComponent(job.id)}`);
    show(row, job.kind in urls.admin);
    show(afresh, job.kind === "grab");
    show(again, job.kind !== "core");
    for (const [button, label] of [
      [open, "Open"],
      [copier, "Copy the address of"],
      [again, `${anew}:`],
      [afresh, "Grab again without the cache:"],
      [row, "Admin row of"],
    ]) {
      setAttr(button, "aria-label", `${label} ${text}`);
    }
    player.update(job, text);
    tick();
  }

  return { node, update, tick, gone: () => player.stop() };
}

function flash(button) {
  setIcon(button, "done");
  setTimeout(() => setIcon(button, "copy"), 1500);
}

/** A poster that plays while it is pointed at, or once it was clicked. */
class Player {
  #url = "";
  #video = false;
  #over = false;
  #pinned = false;
  #moving = null;
  #timer = 0;

  constructor() {
    this.img = el("img", { alt: "", loading: "lazy", decoding: "async", draggable: "false" });
    this.mark = el("span", { class: "mark" }, icon("play"));
    this.button = el("button", { type: "button", class: "play", "aria-pressed": "false" }, this.mark);
    this.why = el("span", { dir: "auto" });
    this.none = el("p", { class: "none" }, this.why);
    this.node = el("div", { class: "shot" }, this.img, this.none, this.button);
    this.img.addEventListener("error", () => this.#missing());
    this.button.addEventListener("click", () => this.#click());
  }

  listen(card) {
    card.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && this.#hover(true));
    card.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.#hover(false));
    this.button.addEventListener("focus", () => this.button.matches(":focus-visible") && this.#hover(true));
    this.button.addEventListener("blur", () => this.#hover(false));
  }

  update({ kind, state, facts = {}, error, error_code: code }, text) {
    const poster = near(facts.poster);
    const plays = state === "complete" && facts.url && ["webp", "gif", "mp4"].includes(facts.format) && !facts.still;
    this.#url = plays ? near(facts.url) : "";
    this.#video = facts.format === "mp4";
    show(this.button, Boolean(this.#url));
    setAttr(this.button, "aria-label", `Play ${text}`);
    const src = poster || (facts.format === "png" ? near(facts.url) : "");
    show(this.img, Boolean(src));
    if (src) {
      setAttr(this.img, "src", src);
      setAttr(this.img, "alt", text);
    }
    const failed = error || "It failed, and nothing says why.";
    setText(this.why, { failed, cancelled: "Cancelled" }[state] ?? (kind === "grab" ? "Its picture has gone." : "It has no picture."));
    setAttr(this.why, "title", state === "failed" ? `${code}: ${failed}` : null);
    show(this.none, !src);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#over = this.#pinned = false;
    this.#draw();
  }

  #missing() {
    show(this.img, false);
    show(this.none, true);
  }

  #hover(over) {
    clearTimeout(this.#timer);
    if (over && calm.matches) return;
    this.#timer = setTimeout(
      () => {
        this.#over = over;
        this.#draw();
      },
      over ? INTENT_MS : 0,
    );
  }

  #click() {
    clearTimeout(this.#timer);
    this.#pinned = !this.#pinned;
    this.#over &&= this.#pinned;
    this.#draw();
  }

  #draw() {
    const playing = (this.#over || this.#pinned) && this.#url !== "";
    setAttr(this.button, "aria-pressed", String(this.#pinned));
    setIcon(this.mark, playing ? "pause" : "play");
    this.node.classList.toggle("playing", playing);
    if (playing === (this.#moving !== null)) return;
    if (playing) {
      this.#moving = this.#video ? movie(this.#url) : el("img", { class: "moving", alt: "", src: this.#url });
      this.node.insertBefore(this.#moving, this.button);
    } else {
      this.#moving.removeAttribute("src"); // ends a download that is still under way
      this.#moving.remove();
      this.#moving = null;
    }
  }
}

function movie(src) {
  const video = el("video", { class: "moving", loop: true, playsinline: true, "aria-hidden": "true", tabindex: "-1" });
  video.muted = true;
  video.autoplay = true;
  video.src = src;
  return video;
}
