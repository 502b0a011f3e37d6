// The activity log: newest first.

import { exact, seconds } from "./clock.js";
import { byId, el, setAttr, setText, show } from "./dom.js";

const KEPT = 500;
const PROBLEMS = ["warn", "error"];

export class Log {
  #entries = []; // newest first
  #seen = new Set();
  #cleared = "";
  #late = [];
  #paused = false;
  #filter = "";
  #words = ""; // a job's id, or a part of the line

  constructor(urls) {
    this.list = byId("log-list");
    this.url = urls.log;
    byId("log-filter").addEventListener("change", (event) => {
      this.#filter = event.target.value;
      this.#redraw();
    });
    byId("log-job").addEventListener("input", (event) => this.only(event.target.value));
    this.list.addEventListener("click", ({ target }) => target.dataset.job && this.only(target.dataset.job));
    byId("log-pause").addEventListener("click", () => this.#pause());
    byId("log-clear").addEventListener("click", () => this.#clear());
  }

  /** Only lines of a job, or with these words. */
  only(words) {
    const field = byId("log-job");
    if (field.value !== words) field.value = words;
    this.#words = words.trim();
    this.#redraw();
  }

  /** Entries in any order, known ones among them. */
  take(entries) {
    const fresh = entries.filter((entry) => entry.time > this.#cleared && !this.#seen.has(key(entry)));
    if (!fresh.length) {
      this.#drawEmpty();
      return;
    }
    for (const entry of fresh) this.#seen.add(key(entry));
    if (this.#paused) {
      this.#late.push(...fresh);
      this.#drawPause();
    } else {
      this.#add(fresh);
    }
  }

  #add(fresh) {
    fresh.sort((a, b) => (a.time < b.time ? 1 : -1));
    const newer = !this.#entries.length || fresh.at(-1).time >= this.#entries[0].time;
    this.#entries = [...fresh, ...this.#entries];
    if (!newer) this.#entries.sort((a, b) => (a.time < b.time ? 1 : -1));
    for (const old of this.#entries.splice(KEPT)) this.#seen.delete(key(old));
    if (newer) {
      this.list.prepend(...fresh.filter((entry) => this.#wanted(entry)).map(line));
      while (this.list.childElementCount > KEPT) this.list.lastElementChild.remove();
      this.#drawEmpty();
    } else {
      this.#redraw();
    }
  }

  #wanted({ type, job, msg }) {
    const words = this.#words;
    if (words && job !== words && !msg.toLowerCase().includes(words.toLowerCase())) return false;
    if (this.#filter === "problems") return PROBLEMS.includes(type);
    return !this.#filter || type === this.#filter;
  }

  /** The download has what the page shows, as far as the server can tell lines apart. */
  #drawDownload() {
    const link = byId("log-download");
    if (!link) return;
    const query = new URLSearchParams();
    if (this.#filter && this.#filter !== "problems") query.set("level", this.#filter);
    if (this.#entries.some(({ job }) => job === this.#words)) query.set("job", this.#words);
    setAttr(link, "href", query.size ? `${this.url}?${query}` : this.url);
  }

  #redraw() {
    this.list.replaceChildren(...this.#entries.filter((entry) => this.#wanted(entry)).map(line));
    this.#drawEmpty();
    this.#drawDownload();
  }

  #drawEmpty() {
    const empty = this.list.childElementCount === 0;
    show(byId("log-empty"), empty);
    show(this.list, !empty);
    setText(byId("log-empty"), this.#entries.length ? "Nothing like this." : "Nothing yet.");
  }

  #pause() {
    this.#paused = !this.#paused;
    if (!this.#paused) this.#add(this.#late.splice(0));
    this.#drawPause();
  }

  #drawPause() {
    const button = byId("log-pause");
    setAttr(button, "aria-pressed", String(this.#paused));
    const late = this.#late.length ? ` (${this.#late.length} new)` : "";
    setText(button, this.#paused ? `Go on${late}` : "Pause");
  }

  #clear() {
    const newest = [...this.#late, ...this.#entries].map((entry) => entry.time).sort();
    this.#cleared = newest.at(-1) ?? this.#cleared;
    this.#entries = [];
    this.#late = [];
    this.#seen.clear();
    this.#redraw();
    this.#drawPause();
  }
}

const key = (entry) => `${entry.time} ${entry.msg}`;

function line({ time: at, type, msg, job }) {
  const tag = job ? el("button", { type: "button", class: "of", data: { job }, title: "Only lines of this job", text: job }) : null;
  return el(
    "li",
    { data: { type } },
    el("time", { datetime: at, title: exact(at), text: seconds(at) }),
    el("span", { class: "type", text: type }),
    tag,
    el("span", { class: "msg", dir: "auto", text: msg }),
  );
}
