// One action on many jobs: counted, confirmed, and taken back while its window is open. Everybody sees everybody's.

import { byId, el, icon, Keyed, notice, say, setAttr, setStyle, setText, show } from "./dom.js";
import { fill, get, post } from "./server.js";
import { number } from "./words.js";

const SHOWN_AFTER_MS = 5000;
const WINDOW_MS = 10_000;
const ENDED = ["complete", "failed", "cancelled"];

export class Bulk {
  #bulks = new Map(); // id -> { id, bulk, gone }

  /** `after()`: something has changed for many jobs. */
  constructor(boot, store, after) {
    Object.assign(this, { urls: boot.urls, may: boot.may, store, after });
    this.bars = new Keyed(byId("bulks"), (entry) => bar(entry, this));
  }

  /** Counts, asks, starts. `target`: a filter's fields, or ids. True when it was started. */
  async ask(action, target, extra = {}) {
    const fields = { action, ...target };
    try {
      let found = await get(this.urls.bulk, fields);
      while (found.count > 0) {
        if (!(await confirmed(found, extra))) return false;
        const answer = await this.#start({ ...fields, ...extra, expect: found.count });
        if (answer) return this.#started(answer.bulk);
        found = await get(this.urls.bulk, fields);
      }
      notice("There is nothing that this could be done to.");
    } catch (problem) {
      notice(problem.message, "bad");
    }
    return false;
  }

  /** Null when the number is not what was confirmed. */
  async #start(fields) {
    try {
      return await post(this.urls.bulk, fields);
    } catch (problem) {
      if (problem.status !== 409) throw problem;
      notice(problem.message, "bad");
      return null;
    }
  }

  #started(bulk) {
    this.take(bulk);
    say(`${bulk.text}. It can be undone for ten seconds.`);
    this.after();
    return true;
  }

  async undo(id) {
    try {
      this.take((await post(fill(this.urls.undo, { id }))).bulk);
      say("Undone");
    } catch (problem) {
      notice(problem.message, "bad");
    }
    this.after();
  }

  /** All that are under way, as the state says. */
  takeAll(bulks) {
    const listed = new Set(bulks.map(({ id }) => id));
    for (const bulk of bulks) this.take(bulk);
    for (const [id, entry] of this.#bulks) if (!listed.has(id) && !entry.gone) this.#bulks.delete(id);
    this.#draw();
  }

  take(bulk) {
    const known = this.#bulks.get(bulk.id);
    if (known && ENDED.includes(known.bulk.state)) return;
    const gone = ENDED.includes(bulk.state) ? performance.now() + SHOWN_AFTER_MS : 0;
    this.#bulks.set(bulk.id, { id: bulk.id, bulk, gone });
    this.#draw();
  }

  tick() {
    for (const [id, { gone }] of this.#bulks) if (gone && performance.now() > gone) this.#bulks.delete(id);
    this.#draw();
  }

  left(bulk) {
    return bulk.undoUntil - this.store.now();
  }

  mayUndo({ action }) {
    if (action === "unfreeze") return this.may.freeze;
    return (action === "again" ? this.may.again : this.may.act).length > 0;
  }

  #draw() {
    this.bars.draw([...this.#bulks.values()]);
  }
}

function bar(entry, bulks) {
  const text = el("span", { class: "text" });
  const rest = el("span", { class: "rest", "aria-hidden": "true" });
  const undo = el(
    "button",
    { type: "button", class: "quiet small", on: { click: () => bulks.undo(entry.id) } },
    icon("undo"),
    el("span", { text: "Undo" }),
  );
  const line = el("span", { class: "line", "aria-hidden": "true" });
  const node = el("li", { class: "notice bulk" }, text, rest, undo, line);

  function update({ bulk }) {
    const left = bulks.left(bulk);
    const open = !ENDED.includes(bulk.state);
    const waits = open && bulk.state !== "running" && left > 0;
    setText(text, sentence(bulk, waits));
    setText(rest, waits ? `${Math.ceil(left / 1000)} s` : "");
    show(undo, open && bulks.mayUndo(bulk) && (left > 500 || bulk.done < bulk.count));
    setAttr(undo, "aria-label", `Undo: ${bulk.text}`);
    setText(undo.lastElementChild, waits ? "Undo" : "Stop");
    setStyle(line, "transform", `scaleX(${waits ? Math.min(1, left / WINDOW_MS) : open ? 1 : 0})`);
    setAttr(node, "data-state", bulk.state);
  }

  return { node, update };
}

function sentence({ text, by, state, done, count }, waits) {
  const who = by ? ` (${by})` : "";
  if (state === "cancelled") return `Undone: ${text}${who}`;
  if (state === "failed") return `Failed: ${text}${who}`;
  if (state === "complete") return `${text}: ${number(done)} of ${number(count)} done${who}`;
  return waits ? `${text}${who}` : `${text}: ${number(done)} of ${number(count)} so far${who}`;
}

const VERBS = { again: "Requeue", cancel: "Cancel", lane: "Move", unfreeze: "Unfreeze" };

/** A dialog that names the action and the number. */
export function confirmed({ action, text, count }, { lane, skipCache } = {}) {
  const dialog = byId("confirm");
  const to = lane ? `, to the lane “${lane}”` : "";
  setText(byId("confirm-title"), `${text}${to}${skipCache ? ", without the cache" : ""}?`);
  const undo = "Nothing happens in the first ten seconds: until then it can be undone.";
  const cached = action === "again" && !skipCache ? " What the cache still has is not done anew." : "";
  setText(byId("confirm-text"), undo + cached);
  setText(byId("confirm-yes"), `${VERBS[action] ?? "Go on"} ${number(count)}`);
  return asked(dialog);
}

function asked(dialog) {
  return new Promise((resolve) => {
    dialog.returnValue = "no";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    dialog.showModal();
    byId("confirm-yes").focus();
  });
}
