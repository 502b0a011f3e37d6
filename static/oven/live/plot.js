// Draws series over time as SVG: lines or stacked bars, axes with a unit, a cursor that reads out, and a table.

import { minutes } from "./clock.js";
import { el, setAttr, setText } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 170;
const PAD = { left: 44, right: 12, top: 10, bottom: 24 };
const TICKS = 4;

function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** `format(value)`: how a number reads, with its unit; `unit`: what the axis counts. */
export class Plot {
  #at = -1; // where the cursor is
  #data = null;

  constructor(host, { heading, unit, format, stacked = false, axis = format }) {
    Object.assign(this, { heading, unit, format, stacked, axis });
    this.readout = el("p", { class: "readout soft" });
    this.legend = el("ul", { class: "legend" });
    this.svg = svg("svg", { class: "plot", role: "slider", tabindex: "0", "aria-label": heading, "aria-orientation": "horizontal" });
    this.table = el("details", { class: "as-table" }, el("summary", { text: "As a table" }));
    this.empty = el("p", { class: "empty thin", text: "Nothing in this time." });
    const head = el("div", { class: "plot-head" }, el("h3", { text: heading }), el("span", { class: "soft", text: unit }));
    this.node = el("figure", { class: "card chart" }, head, this.svg, this.empty, this.readout, this.legend, this.table);
    host.append(this.node);
    this.#listen();
  }

  /** `data`: { from (ms), stepS, series: [{ name, tone, dash, values }] }; null where there is no value. */
  draw(data) {
    this.#data = data;
    this.#at = Math.min(this.#at, this.#count - 1);
    const some = data.series.length > 0;
    for (const node of [this.svg, this.readout, this.legend, this.table]) node.toggleAttribute("hidden", !some);
    this.empty.hidden = some;
    if (!some) return;
    this.legend.replaceChildren(...data.series.map(legendItem));
    this.#paint();
    if (this.table.open) this.#fillTable();
  }

  get #count() {
    return this.#data?.series[0]?.values.length ?? 0;
  }

  get #width() {
    return Math.max(240, Math.round(this.node.clientWidth - 28));
  }

  #listen() {
    new ResizeObserver(() => this.#data?.series.length && this.#paint()).observe(this.node);
    this.svg.addEventListener("pointermove", (event) => this.#point(event));
    this.svg.addEventListener("pointerleave", () => document.activeElement !== this.svg && this.#move(-1));
    this.svg.addEventListener("focus", () => this.#at < 0 && this.#move(this.#count - 1));
    this.svg.addEventListener("blur", () => this.#move(-1));
    this.svg.addEventListener("keydown", (event) => this.#key(event));
    this.table.addEventListener("toggle", () => this.table.open && this.#fillTable());
  }

  #point({ clientX }) {
    const { left } = this.svg.getBoundingClientRect();
    const share = (clientX - left - PAD.left) / (this.#width - PAD.left - PAD.right);
    this.#move(Math.max(0, Math.min(this.#count - 1, Math.floor(share * this.#count))));
  }

  #key(event) {
    const last = this.#count - 1;
    const at = this.#at < 0 ? last : this.#at;
    const steps = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowDown: at - 1, ArrowUp: at + 1, PageDown: at - 10, PageUp: at + 10, Home: 0, End: last };
    if (!(event.key in steps)) return;
    event.preventDefault();
    this.#move(Math.max(0, Math.min(last, steps[event.key])));
  }

  #move(at) {
    this.#at = at;
    this.#cursor();
  }

  // --- painting ---

  #paint() {
    const width = this.#width;
    const scale = this.#scale(width);
    setAttr(this.svg, "viewBox", `0 0 ${width} ${HEIGHT}`);
    setAttr(this.svg, "width", width);
    setAttr(this.svg, "height", HEIGHT);
    const shapes = this.stacked ? this.#bars(scale) : this.#lines(scale);
    this.cursor = svg("line", { class: "cursor", y1: PAD.top, y2: HEIGHT - PAD.bottom });
    this.svg.replaceChildren(...this.#grid(scale, width), ...shapes, this.cursor);
    this.scale = scale;
    this.#cursor();
  }

  #scale(width) {
    const tops = this.stacked
      ? Array.from({ length: this.#count }, (_, at) => this.#data.series.reduce((sum, { values }) => sum + (values[at] ?? 0), 0))
      : this.#data.series.flatMap(({ values }) => values.filter((value) => value !== null));
    const step = niceStep(Math.max(...tops, 0) || 1);
    const top = step * Math.max(1, Math.ceil((Math.max(...tops, 0) || 1) / step - 1e-9));
    const inner = width - PAD.left - PAD.right;
    const x = (at) => PAD.left + ((at + 0.5) / this.#count) * inner;
    const y = (value) => HEIGHT - PAD.bottom - (value / top) * (HEIGHT - PAD.top - PAD.bottom);
    return { x, y, top, step, slot: inner / this.#count };
  }

  #grid({ x, y, top, step }, width) {
    const parts = [];
    for (let value = 0; value <= top + step / 2; value += step) {
      parts.push(svg("line", { class: "grid", x1: PAD.left, x2: width - PAD.right, y1: y(value), y2: y(value) }));
      parts.push(label(this.axis(value), PAD.left - 6, y(value) + 4, "end"));
    }
    const each = Math.max(1, Math.round(this.#count / (width < 380 ? 3 : 6)));
    for (let at = Math.floor(each / 2); at < this.#count; at += each) {
      parts.push(label(this.#time(at), x(at), HEIGHT - 6, "middle"));
    }
    return parts;
  }

  #lines({ x, y }) {
    return this.#data.series.flatMap(({ values, tone, dash }) => {
      const path = svg("path", { class: `stroke${dash ? " dashed" : ""}`, "data-tone": tone, d: runs(values, x, y) });
      // A value with none beside it is no line: it is a dot.
      const lone = values.flatMap((value, at) => (alone(values, at) ? [svg("circle", { class: "dot", "data-tone": tone, cx: x(at), cy: y(value), r: 2.5 })] : []));
      return [path, ...lone];
    });
  }

  #bars({ x, y, slot }) {
    const below = new Array(this.#count).fill(0);
    const width = Math.max(1, slot * 0.72);
    return this.#data.series.flatMap(({ values, tone }) =>
      values.flatMap((value, at) => {
        if (!value) return [];
        const bottom = y(below[at]);
        below[at] += value;
        const height = Math.max(1, bottom - y(below[at]));
        return [svg("rect", { class: "fill", "data-tone": tone, x: x(at) - width / 2, y: bottom - height, width, height })];
      }),
    );
  }

  // --- reading ---

  #cursor() {
    if (!this.#data?.series.length || !this.cursor) return;
    const at = this.#at < 0 ? this.#count - 1 : this.#at;
    this.cursor.toggleAttribute("hidden", this.#at < 0);
    this.cursor.setAttribute("class", this.#at < 0 ? "cursor off" : "cursor");
    setAttr(this.cursor, "x1", this.scale.x(at));
    setAttr(this.cursor, "x2", this.scale.x(at));
    const known = this.#data.series.filter(({ values }) => values[at] !== null && values[at] !== undefined);
    const values = known.map(({ name, values: all }) => `${name} ${this.format(all[at])}`).join(", ");
    const text = `${this.#time(at)}: ${values || "nothing"}`;
    setText(this.readout, text);
    setAttr(this.svg, "aria-valuemin", "0");
    setAttr(this.svg, "aria-valuemax", this.#count - 1);
    setAttr(this.svg, "aria-valuenow", at);
    setAttr(this.svg, "aria-valuetext", text);
  }

  #value(value) {
    return value === null || value === undefined ? "–" : this.format(value);
  }

  #time(at) {
    return minutes(this.#data.from + at * this.#data.stepS * 1000);
  }

  #fillTable() {
    const { series } = this.#data;
    const head = el("tr", {}, el("th", { scope: "col", text: "Time" }), ...series.map(({ name }) => el("th", { scope: "col", text: name })));
    const rows = Array.from({ length: this.#count }, (_, at) => at)
      .filter((at) => series.some(({ values }) => values[at]))
      .reverse()
      .map((at) => el("tr", {}, el("th", { scope: "row", text: this.#time(at) }), ...series.map(({ values }) => el("td", { text: this.#value(values[at]) }))));
    const table = el("table", {}, el("caption", { class: "hush", text: `${this.heading}, ${this.unit}` }), el("thead", {}, head), el("tbody", {}, ...rows));
    const scroll = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${this.heading}, as a table` }, table);
    this.table.replaceChildren(this.table.firstElementChild, scroll);
  }
}

function legendItem({ name, tone, dash }) {
  return el("li", { class: dash ? "dashed" : "", data: { tone } }, el("span", { class: "swatch", "aria-hidden": "true" }), name);
}

function label(text, x, y, anchor) {
  const node = svg("text", { x, y, "text-anchor": anchor });
  node.textContent = text;
  return node;
}

/** 1, 2 or 5 times a power of ten, so that a handful of lines reaches the top. */
function niceStep(top) {
  const rough = top / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999);
}

function alone(values, at) {
  const there = (value) => value !== null && value !== undefined;
  return there(values[at]) && !there(values[at - 1]) && !there(values[at + 1]);
}

/** A path that is interrupted where there is no value. */
function runs(values, x, y) {
  let drawing = false;
  let path = "";
  values.forEach((value, at) => {
    if (value === null || value === undefined) {
      drawing = false;
      return;
    }
    path += `${drawing ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    drawing = true;
  });
  return path;
}
