// The queue.

import { byId, el, iconButton, Keyed, setAttr, setBadges, setText, show } from "./dom.js";
import { openMenu } from "./menu.js";
import { basics, many, number, span, title } from "./words.js";

const SHOWN = 100;
const TONES = { keep: "warn", now: "ember", heavy: "cool", batch: "plain" };

export class Next {
  constructor(store, tools) {
    this.store = store;
    this.rows = new Keyed(byId("next-list"), (entry) => row(entry, this, tools));
    this.waits = new Map();
    this.announced = [];
  }

  /** `waiting`: as it will be served; `wanted`: those of it that the filter finds. */
  draw(waiting, wanted) {
    this.estimate(waiting);
    this.rows.draw(wanted.slice(0, SHOWN));
    const filtered = wanted !== waiting;
    const more = wanted.length + (filtered ? 0 : this.store.meta.unseen) - SHOWN;
    const rest = more > 0 ? `+${number(more)} more` : "";
    const unknown = filtered && this.store.meta.unseen > 0 ? `${number(this.store.meta.unseen)} further back are not looked at` : "";
    show(byId("next-more"), Boolean(rest || unknown));
    setText(byId("next-more"), [rest, unknown].filter(Boolean).join(" · "));
    show(byId("next-empty"), wanted.length === 0);
    const others = waiting.length - wanted.length;
    setText(byId("next-empty"), others ? `Nothing that waits is like this (${number(others)} not shown).` : "The queue is empty.");
  }

  /** Tapes that the site has announced and not sent yet. */
  announce(codes) {
    this.announced = codes;
    show(byId("next-incoming"), codes.length > 0);
    setText(byId("next-incoming"), `Announced: ${codes.join(", ")}`);
  }

  /** One of them has come: its bake is asked for. */
  arrived(code) {
    if (this.announced.includes(code)) this.announce(this.announced.filter((other) => other !== code));
  }

  /** Each kind of job has workers of its own, and so its own queue. */
  estimate(waiting) {
    const means = {};
    this.positions = {};
    this.waits = new Map();
    for (const { id, job } of waiting) {
      const position = (this.positions[job.kind] = (this.positions[job.kind] ?? 0) + 1);
      means[job.kind] ??= this.store.mean(job.kind);
      this.waits.set(id, [position, this.store.wait(job.kind, position, means[job.kind])]);
    }
  }
}

function row(entry, queue, { act, may, picked, lanes }) {
  const { store } = queue;
  const allowed = may.act.includes(entry.job.kind);
  const place = el("span", { class: "place" });
  const name = el("span", { class: "name", dir: "auto" });
  const badges = el("span", { class: "badges" });
  const wait = el("span", { class: "wait" });
  const box = allowed ? picked.box(entry.id, title(entry.job)) : null;
  const front = iconButton("front", "To the front of its lane", () => act(entry.id, "front"));
  const lane = iconButton("lane", "To another lane", () => openMenu(lane, "To which lane", choices()));
  const cancel = iconButton("cross", "Cancel", () => act(entry.id, "cancel"));
  setAttr(lane, "aria-haspopup", "menu");
  const tools = allowed ? el("span", { class: "row-tools" }, front, lane, cancel) : null;
  const what = el("span", { class: "what" }, name, badges);
  const node = el("li", { tabindex: "-1", data: { id: entry.id, card: "next" } }, box ?? el("span"), place, what, wait, tools);

  function choices() {
    const others = lanes.filter(({ name: other }) => other !== entry.job.lane);
    return others.map(({ name: to, label }) => ({ label, run: () => act(entry.id, "lane", { lane: to }) }));
  }

  function update({ job }, index) {
    const text = title(job);
    const [position, ms] = queue.waits.get(entry.id) ?? [index + 1, 0];
    picked.draw(node, box, entry.id, text);
    setText(place, String(index + 1));
    setText(name, text);
    setAttr(name, "title", text);
    const retry = job.state === "retrying" ? [[`retry ${job.attempt}`, "warn", job.error]] : [];
    setBadges(badges, [...basics(job), [job.lane, TONES[job.lane] ?? "plain", `Lane ${job.lane}`], ...retry]);
    const about = span(Math.round(ms / 1000) * 1000);
    setText(wait, `≈ ${about.replace(".0 s", " s")}`);
    setAttr(wait, "title", `Estimated from the last ten and ${many(store.workers(job.kind), "worker", "workers")}`);
    setAttr(front, "aria-label", `To the front of its lane: ${text}`);
    setAttr(lane, "aria-label", `To another lane: ${text}`);
    setAttr(cancel, "aria-label", `Cancel ${text}, number ${position} in the queue`);
  }

  return { node, update };
}
