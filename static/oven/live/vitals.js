// The machine: workers, memory, disk, and what is wrong.

import { byId, el, iconButton, Keyed, say, setAttr, setStyle, setText, show } from "./dom.js";
import { clock, many, megabytes, number } from "./words.js";

const FRESH_MS = 120_000; // so long after a restart the page says so
const DISMISSED = "oven.dismissed";
const WORKERS = "#workers-box";

export class Vitals {
  #dismissed = new Set();
  #alerts = [];
  #told = new Set();

  constructor(store, links) {
    this.store = store;
    this.rows = new Keyed(byId("workers-list"), (item) => workerRow(item, store));
    this.strips = new Keyed(byId("alerts"), (item) => strip(item, links[item.code] ?? [], () => this.#dismiss(item.id)));
    try {
      this.#dismissed = new Set(JSON.parse(sessionStorage.getItem(DISMISSED) ?? "[]"));
    } catch {
      // Then they are shown once more.
    }
    byId("workers-box").addEventListener("toggle", (event) => this.#toggled(event.newState === "open"));
    addEventListener("hashchange", () => this.#openByAddress());
    this.#openByAddress();
  }

  take(vitals) {
    if (!vitals) return;
    const { workers = [], memory, disk, alerts = [] } = vitals;
    this.rows.draw(workers.map((worker) => ({ id: `${worker.host} ${worker.name}`, worker })));
    show(byId("workers-empty"), workers.length === 0);
    meter(byId("memory"), "Memory", memory, memory && `, ${megabytes(memory.ovenMB ?? 0)} of it Oven's`);
    meter(byId("disk"), "Disk", disk, disk?.filesMB == null ? "" : `, ${megabytes(disk.filesMB)} of it files made here`);
    const sums = [memory && `Memory: ${of(memory)}`, disk && `Disk: ${of(disk)}`];
    setText(byId("machine"), sums.filter(Boolean).join(" · "));
    this.#takeAlerts(alerts);
  }

  /** `pools`: workers that are alive, by pool. */
  drawPools(pools) {
    const counts = Object.entries(pools);
    setText(byId("workers"), many(counts.reduce((sum, [, count]) => sum + count, 0), "worker", "workers"));
    setAttr(byId("workers"), "title", counts.map(([pool, count]) => `${count} ${pool}`).join(", "));
  }

  tick() {
    const up = this.store.uptime();
    setText(byId("uptime"), clock(up));
    show(byId("restarted"), up < FRESH_MS);
    if (up < FRESH_MS) setText(byId("restarted-ago"), clock(up));
    if (byId("workers-box").matches(":popover-open")) this.rows.tick();
  }

  /** Numbers within a sentence may change; it is the same alert all the same. */
  #takeAlerts(alerts) {
    this.#alerts = alerts.map((alert) => ({ ...alert, id: `${alert.code} ${alert.level}` }));
    const now = new Set(this.#alerts.map(({ id }) => id));
    for (const id of this.#dismissed) if (!now.has(id)) this.#dismissed.delete(id);
    for (const { id, text } of this.#alerts) if (!this.#told.has(id) && !this.#dismissed.has(id)) say(text);
    this.#told = now;
    this.#draw();
  }

  #dismiss(id) {
    this.#dismissed.add(id);
    try {
      sessionStorage.setItem(DISMISSED, JSON.stringify([...this.#dismissed]));
    } catch {
      // Then only until the page is loaded again.
    }
    this.#draw();
    byId("workers").focus();
  }

  #draw() {
    this.strips.draw(this.#alerts.filter(({ id }) => !this.#dismissed.has(id)));
  }

  /** Alerts lead to the workers by an address, also from other pages. */
  #openByAddress() {
    if (location.hash !== WORKERS) return;
    byId("workers-box").showPopover();
    byId("workers-box").querySelector(".scroll").focus();
  }

  #toggled(open) {
    if (open) this.#place();
    else if (location.hash === WORKERS) history.replaceState(null, "", location.pathname + location.search);
  }

  #place() {
    const { left, bottom } = byId("workers").getBoundingClientRect();
    const box = byId("workers-box");
    setStyle(box, "top", `${bottom + 8}px`);
    setStyle(box, "left", `${Math.max(8, Math.min(left, innerWidth - box.offsetWidth - 8))}px`);
  }
}

const of = ({ usedMB, totalMB }) => `${megabytes(usedMB)} of ${megabytes(totalMB)}`;

function meter(node, name, value, more = "") {
  show(node, Boolean(value));
  if (!value) return;
  const percent = Math.round(value.percent);
  const text = `${percent} %, ${of(value)}${more}`;
  setText(node.firstElementChild, `${name} ${percent} %`);
  setAttr(node, "aria-valuenow", percent);
  setAttr(node, "aria-valuetext", text);
  setAttr(node, "title", text);
  setAttr(node, "data-tone", percent >= 90 ? "bad" : percent >= 80 ? "warn" : "good");
  setStyle(node.lastElementChild.firstElementChild, "transform", `scaleX(${Math.min(1, value.percent / 100)})`);
}

function strip({ level, text }, links, dismiss) {
  const sentence = el("p", { text });
  const leads = el("span", { class: "leads" }, ...links.map(({ label, href }) => el("a", { href, text: label })));
  const button = iconButton("cross", "Dismiss until it changes", dismiss);
  const node = el("li", { class: "strip", data: { level } }, sentence, leads, button);
  return { node, update: (alert) => setText(sentence, alert.text) };
}

function workerRow(item, store) {
  const cells = ["name", "lanes", "doing", "browser", "memory", "jobs"].map((name) =>
    el(name === "name" ? "th" : "td", { scope: name === "name" ? "row" : null, class: name, dir: name === "doing" ? "auto" : null }),
  );
  const node = el("tr", {}, ...cells);
  let worker = item.worker;

  function tick() {
    const since = worker.since ? ` · ${clock(store.now() - worker.since)}` : "";
    setText(cells[2], worker.job ? `${worker.doing || worker.job}${since}` : worker.doing || "waits");
  }

  function update({ worker: now }) {
    worker = now;
    setText(cells[0], worker.name);
    setAttr(cells[0], "title", `on ${worker.host}`);
    setText(cells[1], [...new Set(worker.lanes)].join(", "));
    const age = worker.browserAgeS == null ? "" : clock(worker.browserAgeS * 1000);
    setText(cells[3], [age, worker.browserMB == null ? "" : megabytes(worker.browserMB)].filter(Boolean).join(" · ") || "–");
    setText(cells[4], worker.memoryMB == null ? "–" : megabytes(worker.memoryMB));
    setText(cells[5], number(worker.jobs ?? 0));
    tick();
  }

  return { node, update, tick };
}
