// What is looked for: kept in the page's address, so that it can be shared and gone back to.

import { byId, el, setOptions, setText, show } from "./dom.js";
import { title } from "./words.js";

const NAMES = ["piece", "kind", "state", "source", "code"];
const TYPING_MS = 250;

export class Filters extends EventTarget {
  values = {}; // only what is set
  #timer = 0;

  constructor(boot) {
    super();
    this.form = byId("filters");
    this.fields = this.form.elements;
    setOptions(this.fields.kind, boot.kinds);
    setOptions(this.fields.state, boot.states);
    setOptions(this.fields.source, boot.sources.map(named));
    setOptions(this.fields.code, boot.codes.map(named));
    this.form.addEventListener("input", ({ target }) => this.#typed(target));
    this.form.addEventListener("submit", (event) => event.preventDefault());
    byId("filter-clear").addEventListener("click", () => {
      this.set({});
      this.focus();
    });
    addEventListener("popstate", () => this.#take(location.search));
    this.#take(location.search);
  }

  get active() {
    return Object.keys(this.values).length > 0;
  }

  focus() {
    this.fields.piece.focus();
    this.fields.piece.select();
  }

  /** Other values altogether, as a step that the back button takes back. */
  set(values) {
    this.#fill(values);
    this.#changed("pushState");
  }

  matches(job) {
    const { kind, state, source, code, piece } = this.values;
    if (kind && job.kind !== kind) return false;
    if (state && job.state !== state) return false;
    if (state === "failed" && job.requeued) return false; // another job does the same since
    if (source && job.source !== source) return false;
    if (code && job.error_code !== code) return false;
    return !piece || `${title(job)}\n${job.name}`.toLowerCase().includes(piece.toLowerCase());
  }

  /** How many ended jobs are found; null while nobody knows. */
  drawFound(found, capped) {
    show(byId("found"), this.active);
    const count = found === null ? "…" : `${found.toLocaleString("en-GB")}${capped ? "+" : ""}`;
    setText(byId("found-text"), found === 1 ? "1 ended job found" : `${count} ended jobs found`);
  }

  #typed(field) {
    clearTimeout(this.#timer);
    if (field.name !== "piece") this.#changed("pushState");
    else this.#timer = setTimeout(() => this.#changed("replaceState"), TYPING_MS);
  }

  #changed(how) {
    const data = [...new FormData(this.form)].map(([name, value]) => [name, value.trim()]);
    this.values = Object.fromEntries(data.filter(([, value]) => value));
    const query = new URLSearchParams(this.values).toString();
    const address = `${location.pathname}${query && `?${query}`}`;
    if (address !== location.pathname + location.search) history[how](null, "", address);
    this.dispatchEvent(new Event("change"));
  }

  #take(search) {
    const given = new URLSearchParams(search);
    this.#fill(Object.fromEntries(NAMES.map((name) => [name, given.get(name)?.trim() ?? ""])));
    this.values = Object.fromEntries(NAMES.map((name) => [name, this.fields[name].value]).filter(([, value]) => value));
    this.dispatchEvent(new Event("change"));
  }

  #fill(values) {
    clearTimeout(this.#timer);
    for (const name of NAMES) {
      const field = this.fields[name];
      const value = values[name] ?? "";
      const known = field.tagName !== "SELECT" || [...field.options].some((option) => option.value === value);
      // Sources and codes of long ago are looked for all the same.
      if (!known && ["source", "code"].includes(name)) field.append(el("option", { value, text: value }));
      field.value = value;
      if (field.selectedIndex === -1) field.value = "";
    }
  }
}

const named = (name) => ({ name, label: name.replaceAll("_", " ") });
