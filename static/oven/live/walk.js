// Moving between the cards with the keyboard, and acting on the one that has the focus.

import { notice } from "./dom.js";

const RUNS_OR_WAITS = ["queued", "retrying", "running", "cancelling"];

/** Calls by key. */
export function cardKeys({ act, picked, store, may }) {
  const here = () => document.activeElement?.closest("[data-card]");
  const job = () => store.entries.get(here()?.dataset.id)?.job ?? null;

  function step(by) {
    const cards = [...document.querySelectorAll("[data-card]")].filter((card) => card.offsetParent !== null);
    const at = cards.indexOf(here());
    const next = at < 0 ? (by > 0 ? 0 : cards.length - 1) : at + by;
    cards[next]?.focus({ preventScroll: true });
    cards[next]?.scrollIntoView({ block: "nearest" });
  }

  function onOne(call) {
    const card = here();
    if (card) call(card);
    else notice("Go to a job first: j and k move between them.");
  }

  /** What is selected, or else the card. */
  function onThese(action, kinds) {
    if (!kinds.length) return;
    if (picked.ids.size) picked.act(action);
    else onOne((card) => carryOut(action, kinds, card, job()));
  }

  function carryOut(action, kinds, card, found) {
    if (found && !kinds.includes(found.kind)) return;
    const active = card.dataset.card !== "done" || RUNS_OR_WAITS.includes(found?.state);
    if (active === (action === "cancel")) act(card.dataset.id, action);
    else notice(active ? "It has not ended yet." : "It has ended already.");
  }

  return {
    j: () => step(1),
    k: () => step(-1),
    ArrowDown: () => step(1),
    ArrowRight: () => step(1),
    ArrowUp: () => step(-1),
    ArrowLeft: () => step(-1),
    x: () => picked.allowed && onOne((card) => card.querySelector(".pick") && picked.toggle(card.dataset.id)),
    R: () => onThese("again", may.again),
    c: () => onThese("cancel", may.act),
    Escape: () => picked.clear(),
  };
}
