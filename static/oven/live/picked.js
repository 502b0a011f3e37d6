// Selected jobs, and the bar that acts on them.

import { byId, el, icon, say, setAttr, setText, show } from "./dom.js";
import { openMenu } from "./menu.js";
import { many } from "./words.js";

const MOST = 500; // as many as one action takes by name

export class Picked extends EventTarget {
  ids = new Set();

  constructor(boot, store, bulk) {
    super();
    Object.assign(this, { store, bulk, may: boot.may, lanes: boot.lanes });
    this.allowed = !boot.public && (boot.may.act.length > 0 || boot.may.again.length > 0);
    this.#build();
  }

  toggle(id) {
    if (!this.allowed) return;
    if (!this.ids.delete(id) && this.ids.size < MOST) this.ids.add(id);
    this.#changed();
    say(`${many(this.ids.size, "job", "jobs")} selected`);
  }

  clear() {
    if (!this.ids.size) return false;
    this.ids.clear();
    this.#changed();
    return true;
  }

  /** A checkbox for a card; null for whoever may not act. */
  box(id, label) {
    if (!this.allowed) return null;
    const input = el("input", { type: "checkbox", "aria-label": `Select ${label}`, on: { change: () => this.toggle(id) } });
    return el("label", { class: "pick" }, input);
  }

  /** What its card shows. */
  draw(node, box, id, label) {
    if (!box) return;
    const input = box.firstElementChild;
    input.checked = this.ids.has(id);
    setAttr(input, "aria-label", `Select ${label}`);
    node.classList.toggle("selected", input.checked);
  }

  act(action, extra = {}) {
    this.bulk.ask(action, { ids: [...this.ids].join(",") }, extra).then((done) => done && this.clear());
  }

  #build() {
    const button = (label, sign, click) =>
      el("button", { type: "button", class: "quiet small", on: { click } }, icon(sign), el("span", { text: label }));
    this.text = el("strong");
    this.again = button("Requeue", "again", () => this.act("again"));
    this.cancel = button("Cancel", "cross", () => this.act("cancel"));
    this.lane = button("To a lane", "lane", () => this.#lanes());
    setAttr(this.lane, "aria-haspopup", "menu");
    const none = el("button", { type: "button", class: "quiet small", text: "Select none", on: { click: () => this.clear() } });
    show(this.again, this.may.again.length > 0);
    for (const node of [this.cancel, this.lane]) show(node, this.may.act.length > 0);
    byId("picked").append(this.text, this.again, this.cancel, this.lane, none);
  }

  #lanes() {
    const items = this.lanes.map(({ name, label }) => ({ label, run: () => this.act("lane", { lane: name }) }));
    openMenu(this.lane, "To which lane", items);
  }

  #changed() {
    setText(this.text, `${this.ids.size} selected`);
    show(byId("picked"), this.ids.size > 0);
    this.store.changed();
  }
}
