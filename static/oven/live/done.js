// The shelf of results: the newest as they end, older ones page by page.

import { byId, Keyed, setText, show } from "./dom.js";
import { card } from "./card.js";
import { get } from "./server.js";

const FIRST = 24;
const MOST = 480; // cards; further back is the admin's business
const calm = matchMedia("(prefers-reduced-motion: reduce)");

export class Done {
  #all = false; // more than the first rows
  #past = new Map(); // id -> { id, job }: what pages have brought, and what has ended since
  #next = undefined; // the cursor of the next page; undefined before the first one, null after the last
  #found = null;
  #asked = 0;

  constructor(store, filters, tools) {
    Object.assign(this, { store, filters, url: tools.urls.done });
    this.cards = new Keyed(byId("done-list"), (entry) => card(entry, store, tools));
    byId("done-older").addEventListener("click", () => this.#older());
    filters.addEventListener("change", () => this.refetch(true));
  }

  /** With a filter, its first page anew: what has ended unseen is on it. */
  async refetch(other = false) {
    if (other) this.#forget();
    this.filters.drawFound(this.#found?.count ?? null, this.#found?.capped);
    if (this.filters.active) await this.#page("");
    else this.store.changed();
  }

  draw(ended) {
    const list = this.#list(ended);
    const shown = this.#all || this.filters.active ? list : list.slice(0, FIRST);
    this.cards.draw(shown);
    const more = list.length > shown.length || (list.length < MOST && this.#next !== null && list.length >= FIRST);
    show(byId("done-older"), more);
    setText(byId("done-sum"), list.length >= MOST ? "Further back: narrow the filter, or look in the admin." : "");
    show(byId("done-more"), more || list.length >= MOST);
    show(byId("done-empty"), list.length === 0 && !(this.filters.active && this.#found === null));
    setText(byId("done-empty"), this.filters.active ? "Nothing that has ended is like this." : "Nothing is done yet.");
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

  #list(ended) {
    const found = ended.filter(({ job }) => this.filters.matches(job));
    if (!this.#past.size) return found;
    for (const { id, job } of found) this.#past.set(id, { id, job });
    const list = [...this.#past.values()].sort((a, b) => b.job.ended - a.job.ended || (a.id < b.id ? 1 : -1));
    for (const { id } of list.splice(MOST)) this.#past.delete(id);
    return list;
  }

  #forget() {
    this.#past.clear();
    this.#next = undefined;
    this.#found = null;
    this.#all = false;
  }

  async #older() {
    const first = this.cards.list.children.length;
    if (this.#all || this.cards.views.size >= this.store.ended.length || this.filters.active) {
      await this.#page(this.#next ?? "");
      // The first page is what is here already, mostly.
      if (this.#list(this.store.ended).length <= first && this.#next) await this.#page(this.#next);
    }
    this.#all = true;
    this.store.changed();
    this.#focusAfterDrawing(first);
  }

  #focusAfterDrawing(index) {
    const focus = () => this.cards.list.children[index]?.querySelector("button:not([hidden]), a:not([hidden])")?.focus();
    requestAnimationFrame(() => requestAnimationFrame(focus));
  }

  async #page(before) {
    const asked = ++this.#asked;
    try {
      const answer = await get(this.url, { ...this.filters.values, before });
      if (asked !== this.#asked) return;
      for (const job of answer.jobs) this.#past.set(job.id, { id: job.id, job });
      // A first page that is fetched again does not take back what "Older" has brought.
      if (before || this.#next === undefined) this.#next = answer.next;
      this.#found = { count: answer.found, capped: answer.capped };
      this.#problem("");
    } catch (problem) {
      if (asked === this.#asked) this.#problem(problem.message);
    }
    if (asked !== this.#asked) return;
    this.filters.drawFound(this.#found?.count ?? null, this.#found?.capped);
    this.store.changed();
  }

  #problem(message) {
    show(byId("done-problem"), Boolean(message));
    setText(byId("done-problem"), message && `Older results could not be had: ${message}`);
  }
}
