// The queue.

import { byId, el, iconButton, Keyed, setAttr, setBadges, setText, show } from "./dom.js";
import { basics, many, number, span, title } from "./words.js";

const SHOWN = 20;

export class Next {
  constructor(store, act) {
    this.store = store;
    this.rows = new Keyed(byId("next-list"), (entry) => row(entry, store, act, (id) => this.waits.get(id)));
    this.waits = new Map();
  }

  draw(waiting) {
    this.estimate(waiting);
    this.rows.draw(waiting.slice(0, SHOWN));
    const more = waiting.length + this.store.meta.unseen - SHOWN;
    show(byId("next-more"), more > 0);
    setText(byId("next-more"), more > 0 ? `+${number(more)} more` : "");
    show(byId("next-empty"), waiting.length === 0);
  }

  /** Tapes that the site has announced and not sent yet. */
  announce(codes) {
    show(byId("next-incoming"), codes.length > 0);
    setText(byId("next-incoming"), `Announced: ${codes.join(", ")}`);
  }

  /** Each kind of job has workers of its own, and so its own queue. */
  estimate(waiting) {
    const positions = {};
    const means = {};
    this.waits = new Map();
    for (const { id, job } of waiting) {
      positions[job.kind] = (positions[job.kind] ?? 0) + 1;
      means[job.kind] ??= this.store.mean(job.kind);
      this.waits.set(id, this.store.wait(job.kind, positions[job.kind], means[job.kind]));
    }
  }
}

function row(entry, store, act, waitOf) {
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
    const about = span(Math.round(waitOf(entry.id) / 1000) * 1000);
    setText(wait, `≈ ${about.replace(".0 s", " s")}`);
    setAttr(wait, "title", `Estimated from the last ten and ${many(store.workers(job.kind), "worker", "workers")}`);
    setAttr(cancel, "aria-label", `Cancel ${title(job)}, number ${index + 1} in the queue`);
  }

  return { node, update };
}
