// How it went: queue depth, jobs a minute, how long they took, how many succeeded.

import { minutes } from "./clock.js";
import { byId, el, setAttr, setOptions, setText, show } from "./dom.js";
import { Plot } from "./plot.js";
import { get } from "./server.js";
import { number, span } from "./words.js";

const FRESH_MS = 60_000;
const TONES = { grab: "ember", bake: "cool", bundle: "good", core: "warn" };

export class Charts {
  #span = "hour";
  #data = null;
  #at = -FRESH_MS;

  constructor(boot) {
    this.url = boot.urls.charts;
    this.labels = Object.fromEntries(boot.kinds.map(({ name, label }) => [name, label]));
    const whole = (value) => (Number.isInteger(value) ? number(value) : "");
    const host = byId("plots");
    this.depth = new Plot(host, { heading: "Queue", unit: "jobs waiting", format: number, axis: whole });
    this.rate = new Plot(host, { heading: "Ended", unit: "jobs a minute", format: rateText, axis: rateText, stacked: true });
    this.took = new Plot(host, { heading: "How long they took", unit: "p50 and p95, start to end", format: span, axis: (ms) => (ms ? span(ms) : "0") });
    this.success = successCard(host);
    byId("charts-kind").addEventListener("change", () => this.#draw());
    for (const button of document.querySelectorAll("[data-span]")) button.addEventListener("click", () => this.#choose(button.dataset.span));
    setOptions(byId("charts-kind"), boot.kinds);
  }

  /** Fetches what is older than a minute, while somebody looks. */
  async look(now = false) {
    if (byId("work-charts").hidden || document.visibilityState === "hidden") return;
    if (!now && performance.now() - this.#at < FRESH_MS) return;
    this.#at = performance.now();
    const wanted = this.#span;
    try {
      const data = await get(this.url, { span: wanted });
      if (wanted !== this.#span) return;
      this.#data = data;
      this.#problem("");
      this.#draw();
    } catch (problem) {
      this.#at = -FRESH_MS / 2;
      this.#problem(`The charts could not be had: ${problem.message}`);
    }
  }

  #choose(name) {
    this.#span = name;
    for (const button of document.querySelectorAll("[data-span]")) setAttr(button, "aria-pressed", String(button.dataset.span === name));
    this.look(true);
  }

  #problem(text) {
    show(byId("charts-empty"), Boolean(text));
    setText(byId("charts-empty"), text);
  }

  #draw() {
    if (!this.#data) return;
    const { from, stepS, kinds, success } = this.#data;
    const wanted = byId("charts-kind").value;
    const shown = Object.entries(kinds).filter(([name]) => !wanted || name === wanted);
    const line = (name, values, more = {}) => ({ name, values, tone: TONES[name] ?? "plain", ...more });
    const named = shown.map(([name, kind]) => [this.labels[name] ?? name, TONES[name] ?? "plain", kind]);
    const lines = (pick, suffix = "", dash = false) =>
      named.filter(([, , kind]) => pick(kind).some(Boolean)).map(([name, tone, kind]) => line(`${name}${suffix}`, pick(kind), { tone, dash }));
    this.depth.draw({ from, stepS, series: lines((kind) => kind.depth) });
    this.rate.draw({ from, stepS, series: rates(named.map(([, , kind]) => kind), stepS) });
    this.took.draw({ from, stepS, series: [...lines((kind) => kind.p50, " p50"), ...lines((kind) => kind.p95, " p95", true)] });
    this.#drawSuccess(shown.map(([name]) => [this.labels[name] ?? name, success[name]]));
    setText(byId("charts-at"), `as of ${minutes(Date.now())}`);
  }

  #drawSuccess(rows) {
    const known = rows.filter(([, percent]) => percent !== null && percent !== undefined);
    const { list, empty } = this.success;
    show(list, known.length > 0);
    show(empty, known.length === 0);
    list.replaceChildren(...known.map(successRow));
  }
}

const rateText = (value) => number(Math.round(value * 100) / 100);

/** Sums over kinds, as jobs a minute. */
function rates(kinds, stepS) {
  const sum = (pick) => (kinds[0] ? pick(kinds[0]).map((_, at) => kinds.reduce((total, kind) => total + pick(kind)[at], 0) / (stepS / 60)) : []);
  const series = [
    { name: "complete", tone: "good", values: sum((kind) => kind.done) },
    { name: "failed", tone: "bad", values: sum((kind) => kind.failed) },
  ];
  return series.some(({ values }) => values.some(Boolean)) ? series : [];
}

function successCard(host) {
  const list = el("ul", { class: "rates" });
  const empty = el("p", { class: "empty thin", text: "Nothing in this time." });
  const head = el("div", { class: "plot-head" }, el("h3", { text: "Success" }), el("span", { class: "soft", text: "of those that completed or failed" }));
  host.append(el("figure", { class: "card chart" }, head, list, empty));
  return { list, empty };
}

function successRow([name, percent]) {
  const fill = el("span");
  fill.style.transform = `scaleX(${percent / 100})`;
  const text = `${percent.toFixed(percent < 100 && percent > 99 ? 2 : 1).replace(/\.0+$/, "")} %`;
  const bar = el(
    "div",
    { class: "bar", role: "meter", "aria-label": `${name}: success`, "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": String(percent), "aria-valuetext": text },
    fill,
  );
  return el("li", { data: { tone: percent < 80 ? "bad" : percent < 95 ? "warn" : "good" } }, el("span", { text: name }), el("strong", { text }), bar);
}
