// The queue.

import { byId, el, iconButton, Keyed, setAttr, setBadges, setText, show } from "./dom.js";
import { basics, many, number, span, title } from "./words.js";

const SHOWN = 20;

export class Next {
  constructor(store, act) {
    this.store = store;
    this.rows = new Keyed(byId("next-list"), (entry) => row(entry, store, act, () => this.mean));
    this.mean = 0;
  }

  draw(waiting) {
    this.mean = this.store.mean();
    this.rows.draw(waiting.slice(0, SHOWN));
    const more = waiting.length + this.store.meta.unseen - SHOWN;
    show(byId("next-more"), more > 0);
    setText(byId("next-more"), more > 0 ? `+${number(more)} more` : "");
    show(byId("next-empty"), waiting.length === 0);
  }
}

function row(entry, store, act, mean) {
  const place = el("span", { class: "place" });
  const name = el("span", { class: "name", dir: "auto" });
  const badges = el("span", { class: "badges" });
  const wait = el("span", { class: "wait" });
  const cancel = iconButton("cross", "Cancel", () => act(entry.id, "cancel"));
  const node = el("li", { data: { id: entry.id } }, place, el("span", { class: "what" }, name, badges), wait, cancel);

  function update({ job }, index) {
    setText(place, String(index + 1));
    setText(name, title(job));
    setAttr(name, "title", title(job));
    const lane = [job.lane, { keep: "warn", now: "ember", batch: "plain" }[job.lane] ?? "plain", `Lane ${job.lane}`];
    const retry = job.state === "retrying" ? [[`retry ${job.attempt}`, "warn", job.error]] : [];
    setBadges(badges, [...basics(job), lane, ...retry]);
    const about = span(Math.round(store.wait(index + 1, mean()) / 1000) * 1000);
    setText(wait, `≈ ${about.replace(".0 s", " s")}`);
    setAttr(wait, "title", `Estimated from the last ten and ${many(store.meta.workers, "worker", "workers")}`);
    setAttr(cancel, "aria-label", `Cancel ${title(job)}, number ${index + 1} in the queue`);
  }

  return { node, update };
}
