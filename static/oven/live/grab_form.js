// The form that starts a grab.

import { byId, setAttr, setText } from "./dom.js";
import { BEARER, fileName, JSON_BODY, option, shell, StartForm } from "./form.js";
import { many } from "./words.js";

const DEFAULTS = { duration: 12_000, fps: 7.5, playbackFps: 15, density: 1, quality: 80 };
const ANIMATED = ["duration", "fps", "playbackFps", "still"];
const NEEDS = {
  quality: (format) => ["webp", "mp4"].includes(format),
  transparent: (format) => ["webp", "png"].includes(format),
};
// How a stored grab names what the form has under the contract's names.
const STORED = {
  duration_ms: "duration",
  playback_fps: "playbackFps",
  viewport_scale: "viewportScale",
  cache_key: "cacheKey",
  at_ms: "at",
};
// Left out where they say nothing, and what that is.
const OPTIONAL = { viewportScale: "", cacheKey: "", at: "", seed: "", date: "", start: "auto", still: "auto" };
const TEXTS = ["cacheKey", "date", "start", "still"];

export class GrabForm extends StartForm {
  constructor(boot, started) {
    super(boot, started, { kind: "grab", id: "start", prefix: "f" });
    this.presets = boot.presets;
    this.#options(boot);
    byId("f-preset").addEventListener("change", (event) => this.#preset(event.target));
  }

  values() {
    const values = super.values();
    if (values.duration) values.duration = String(Math.round(Number(values.duration) * 1000));
    for (const [name, usual] of Object.entries(OPTIONAL)) if ((values[name] ?? usual) === usual) delete values[name];
    return values;
  }

  fill(values) {
    const { duration, ...others } = values;
    super.fill(duration ? { ...others, duration: Number(duration) / 1000 } : others);
  }

  /** From a job as it is stored. */
  fillFrom(spec) {
    this.form.reset();
    const values = Object.fromEntries(Object.entries(spec).map(([name, value]) => [STORED[name] ?? name, value]));
    if (spec.date_s !== undefined) values.date = new Date(spec.date_s * 1000).toISOString().replace(".000", "");
    if (spec.still === false) values.still = "never";
    this.fill(values);
    byId("f-more").open ||= Object.entries(OPTIONAL).some(([name, usual]) => (values[name] || usual) !== usual);
  }

  curl(values) {
    return curl(values);
  }

  draw() {
    const format = this.fields.format.value;
    for (const name of ANIMATED) this.fields[name].disabled = format === "png";
    for (const [name, applies] of Object.entries(NEEDS)) this.fields[name].disabled = !applies(format);
    for (const field of this.form.querySelectorAll("input, select")) {
      field.closest("label, .field").classList.toggle("off", field.disabled);
    }
    setText(byId("sum"), summary(this.values()));
    super.draw();
  }

  #preset(select) {
    const preset = this.presets.find(({ name }) => name === select.value);
    if (!preset) return;
    const { piece } = this.fields;
    const kept = piece.value;
    this.form.reset();
    piece.value = kept;
    select.value = preset.name;
    this.fill(preset.fields);
  }

  #options({ formats, limits, presets }) {
    this.fields.format.replaceChildren(...formats.map((format) => option(format)));
    byId("f-preset").append(...presets.map(({ name, label }) => option(name, label)));
    const bounds = { ...limits, width: limits.side, height: limits.side, playbackFps: limits.fps, viewportScale: limits.density };
    bounds.duration = limits.duration.map((ms) => ms / 1000);
    for (const [name, [low, high]] of Object.entries(bounds)) {
      const field = this.fields[name];
      if (!field) continue;
      setAttr(field, "min", low);
      setAttr(field, "max", high);
      setAttr(field, "title", `${low} to ${high}`);
    }
  }
}

/** What the file will be. */
function summary(values) {
  const density = Number(values.density || 1);
  const sides = [values.width, values.height].map((side) => Math.round(Number(side || 512) * density));
  const pixels = `${sides.join("×")} px`;
  if (values.format === "png") return pixels;
  const seconds = Number(values.duration || DEFAULTS.duration) / 1000;
  const frames = Math.max(1, Math.ceil(Math.round(seconds * Number(values.fps || DEFAULTS.fps) * 1e6) / 1e6));
  if (![...sides, frames].every(Number.isFinite)) return "";
  const plays = frames / Number(values.playbackFps || DEFAULTS.playbackFps);
  return `${pixels} · ${many(frames, "frame", "frames")} · plays ${plays.toFixed(1)} s`;
}

/** A label and the command for the same grab by REST: a page, or one that skips the cache, needs a token. */
export function curl(values) {
  const piece = values.piece || "orbit";
  const { format, width = "512", height = "512", skipCache } = values;
  const given = Object.entries(values).filter(
    ([name, value]) =>
      !["piece", "format", "width", "height"].includes(name) && value !== "" && Number(value) !== DEFAULTS[name],
  );
  if (/^https?:\/\//i.test(piece)) {
    const body = { piece, format, width: Number(width), height: Number(height) };
    for (const [name, value] of given) body[name] = value === "true" || (TEXTS.includes(name) ? value : Number(value));
    const parts = ["curl", "-o", `page.${format}`, BEARER, JSON_BODY];
    return ["The same by REST", [...parts, "-d", shell(JSON.stringify(body)), `${location.origin}/grab`].join(" ")];
  }
  const path = encodeURIComponent(piece).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16)}`);
  const query = given.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  const address = `${location.origin}/grab/${format}/${width || 512}/${height || 512}/${path}${query && `?${query}`}`;
  const parts = ["curl", "-L", "-o", `${fileName(piece)}.${format}`, ...(skipCache ? [BEARER] : []), shell(address)];
  return ["The same by its address", parts.join(" ")];
}
