// The frozen list.

import { byId, el, iconButton, Keyed, notice, setAttr, setText, show } from "./dom.js";
import { blame, clear } from "./form.js";
import { get, near, post } from "./server.js";
import { ago, frozenReason, many, number } from "./words.js";

export class Frozen {
  #stale = true;
  #asked = 0;

  constructor(store, filters, tools, bulk) {
    Object.assign(this, { store, filters, tools, bulk });
    this.form = byId("freeze");
    this.rows = new Keyed(byId("frozen-list"), (item) => row(item, this, tools));
    filters.addEventListener("change", () => this.changed());
    this.form?.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#freeze();
    });
    byId("frozen-all")?.addEventListener("click", () => bulk.ask("unfreeze", { piece: filters.values.piece ?? "" }));
  }

  /** The list is not what it was: fetched anew once it is looked at. */
  changed() {
    this.#stale = true;
    if (!byId("work-frozen").hidden) this.look();
  }

  async look() {
    if (!this.#stale) return;
    this.#stale = false;
    const asked = ++this.#asked;
    try {
      const { frozen, total } = await get(this.tools.urls.frozenList, { piece: this.filters.values.piece ?? "" });
      if (asked === this.#asked) this.#draw(frozen, total);
    } catch (problem) {
      this.#stale = true;
      this.#empty(`The list could not be had: ${problem.message}`);
    }
  }

  /** The form, filled in for a piece. */
  begin(piece) {
    this.form.elements.piece.value = piece;
    this.form.elements.reason.focus();
  }

  async unfreeze(piece) {
    try {
      await post(this.tools.urls.unfreeze, { piece });
      notice(`${piece}: no longer frozen.`);
    } catch (problem) {
      notice(problem.message, "bad");
    }
    this.changed();
  }

  tick() {
    this.rows.tick();
  }

  #draw(frozen, total) {
    this.rows.draw(frozen.map((entry) => ({ id: entry.piece, entry })));
    show(byId("frozen-more"), total > frozen.length);
    setText(byId("frozen-more"), `+${number(total - frozen.length)} more: narrow the piece filter.`);
    if (byId("frozen-all")) show(byId("frozen-all"), total > 1);
    this.#empty(this.filters.values.piece ? "No frozen piece is named like this." : "No piece is frozen.", total === 0);
  }

  #empty(text, yes = true) {
    setText(byId("frozen-empty"), text);
    show(byId("frozen-empty"), yes);
  }

  async #freeze() {
    clear(this.form, "z");
    const fields = Object.fromEntries(new FormData(this.form));
    try {
      const { frozen } = await post(this.tools.urls.freeze, fields);
      notice(`${frozen.piece}: frozen.`);
      this.form.reset();
      this.changed();
    } catch (problem) {
      blame(this.form, "z", problem);
    }
  }
}

function row(item, panel, { act, may }) {
  let { entry } = item;
  const img = el("img", { alt: "", loading: "lazy", decoding: "async" });
  const name = el("h3", { dir: "auto" });
  const why = el("p", { dir: "auto" });
  const when = el("p", { class: "soft" });
  const again = may.again.includes("grab") ? iconButton("again", "Grab again", () => act(entry.grab, "again", { skipCache: "true" })) : null;
  const free = may.freeze ? el("button", { type: "button", class: "quiet small", text: "Unfreeze", on: { click: () => panel.unfreeze(entry.piece) } }) : null;
  const body = el("div", { class: "body" }, name, why, when);
  const node = el("li", { class: "card frosty", tabindex: "-1" }, el("div", { class: "shot" }, img), body, el("div", { class: "does" }, again, free));
  img.addEventListener("error", () => show(img, false));

  function tick() {
    const now = panel.store.now();
    const since = `since ${ago(now - entry.first).replace(" ago", "")}`;
    setText(when, `${many(entry.attempts, "attempt", "attempts")} · ${since} · last ${ago(now - entry.last)}`);
  }

  function update({ entry: now }) {
    entry = now;
    const poster = near(entry.poster);
    show(img, Boolean(poster));
    if (poster) setAttr(img, "src", poster);
    setText(name, entry.piece);
    setAttr(name, "title", entry.piece);
    const reason = entry.reason === "staff" && entry.error ? `: ${entry.error}` : "";
    setText(why, frozenReason(entry) + reason);
    setAttr(why, "title", entry.error || null);
    if (again) show(again, Boolean(entry.grab));
    for (const [button, label] of [[again, "Grab again without the cache:"], [free, "Unfreeze"]]) {
      if (button) setAttr(button, "aria-label", `${label} ${entry.piece}`);
    }
    tick();
  }

  return { node, update, tick };
}
