// What a card of a result shows: a poster; the picture or film while it is pointed at; a bundle in its sandbox.

import { el, icon, setAttr, setIcon, setText, show } from "./dom.js";
import { near, safe } from "./server.js";

const INTENT_MS = 120; // a pointer that only passes by starts nothing
const calm = matchMedia("(prefers-reduced-motion: reduce)");
let opened = null; // the one player that shows a bundle

/** A poster that plays while it is pointed at, or once it was clicked. */
export class Player {
  #url = "";
  #text = "";
  #kind = "img"; // or video, frame
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
    const plays = state === "complete" && facts.url && facts.format in KINDS && !facts.still;
    this.#kind = KINDS[facts.format] ?? "img";
    this.#url = !plays ? "" : this.#kind === "frame" ? safe(facts.url) : near(facts.url);
    this.#text = text;
    this.node.classList.toggle("frame", this.#kind === "frame");
    show(this.button, Boolean(this.#url));
    setAttr(this.button, "aria-label", `${this.#kind === "frame" ? "Try" : "Play"} ${text}`);
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
    if (over && (calm.matches || this.#kind === "frame")) return; // a program starts by a click only
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
    if (this.#kind === "frame" && opened !== this) opened?.stop();
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
      this.#moving = MAKE[this.#kind](this.#url, this.#text);
      this.node.insertBefore(this.#moving, this.button);
    } else {
      this.#moving.removeAttribute("src"); // ends a download that is still under way
      this.#moving.remove();
      this.#moving = null;
    }
    if (this.#kind === "frame") opened = playing ? this : null;
  }
}

const KINDS = { webp: "img", gif: "img", mp4: "video", html: "frame" };
const MAKE = {
  img: (src) => el("img", { class: "moving", alt: "", src }),
  video: movie,
  frame: (src, text) =>
    el("iframe", { class: "moving", sandbox: "allow-scripts", referrerpolicy: "no-referrer", title: `${text}, in a sandbox`, src }),
};

function movie(src) {
  const video = el("video", { class: "moving", loop: true, playsinline: true, "aria-hidden": "true", tabindex: "-1" });
  video.muted = true;
  video.autoplay = true;
  video.src = src;
  return video;
}
