// The form that starts a grab.

import { byId, copy, el, notice, setAttr, setText } from "./dom.js";
import { post } from "./server.js";
import { many } from "./words.js";

const DEFAULTS = { duration: 12_000, fps: 7.5, playbackFps: 15, density: 1, quality: 80 };
const ANIMATED = ["duration", "fps", "playbackFps"];
const NEEDS = {
  quality: (format) => ["webp", "mp4"].includes(format),
  transparent: (format) => ["webp", "png"].includes(format),
};
const KEPT = "oven.form"; // over a reload of the page, not longer

export class Start {
  constructor(boot, started) {
    this.form = byId("start");
    this.fields = this.form.elements;
    this.url = boot.urls.start.replace("{kind}", "grab");
    this.started = started;
    this.#options(boot);
    this.#recall();
    this.form.addEventListener("input", (event) => {
      this.#clear(event.target.name);
      this.#draw();
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    byId("curl-copy").addEventListener("click", async () => {
      const copied = await copy(byId("curl").textContent);
      notice(copied ? "Command copied." : "The command could not be copied.", copied ? "info" : "bad");
    });
    this.#draw();
  }

  focus() {
    this.fields.piece.focus();
    this.fields.piece.select();
  }

  /** A piece that was grabbed: offered from now on. */
  learn(piece) {
    const list = byId("pieces");
    if (!piece || [...list.options].some((option) => option.value === piece)) return;
    list.prepend(el("option", { value: piece }));
    while (list.options.length > 60) list.lastElementChild.remove();
  }

  /** Before the page loads itself again. */
  keep() {
    try {
      sessionStorage.setItem(KEPT, JSON.stringify([...new FormData(this.form)]));
    } catch {
      // Then what was typed is lost.
    }
  }

  #recall() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
      sessionStorage.removeItem(KEPT);
      for (const [name, value] of kept) {
        const field = this.fields[name];
        if (field?.type === "checkbox") field.checked = true;
        else if (field) field.value = value;
      }
    } catch {
      // Nothing that could be read.
    }
  }

  #options({ formats, pieces, limits }) {
    this.fields.format.replaceChildren(...formats.map((format) => el("option", { value: format, text: format })));
    byId("pieces").replaceChildren(...pieces.map((value) => el("option", { value })));
    const bounds = { ...limits, width: limits.side, height: limits.side, playbackFps: limits.fps };
    bounds.duration = limits.duration.map((ms) => ms / 1000);
    for (const [name, [low, high]] of Object.entries(bounds)) {
      const field = this.fields[name];
      if (!field) continue;
      setAttr(field, "min", low);
      setAttr(field, "max", high);
      setAttr(field, "title", `${low} to ${high}`);
    }
  }

  /** What is sent: the contract's names and units, only of fields that apply. */
  values() {
    const values = Object.fromEntries([...new FormData(this.form)].map(([name, value]) => [name, value.trim()]));
    if (values.duration) values.duration = String(Math.round(Number(values.duration) * 1000));
    return values;
  }

  #draw() {
    const format = this.fields.format.value;
    for (const name of ANIMATED) this.fields[name].disabled = format === "png";
    for (const [name, applies] of Object.entries(NEEDS)) this.fields[name].disabled = !applies(format);
    for (const field of this.form.querySelectorAll("input, select")) {
      field.closest("label, .field").classList.toggle("off", field.disabled);
    }
    const values = this.values();
    setText(byId("sum"), summary(values));
    const [label, command] = curl(values);
    setText(byId("curl-label"), label);
    setText(byId("curl"), command);
  }

  async #send() {
    const button = byId("start-button");
    if (button.getAttribute("aria-disabled") === "true") return;
    this.#clear();
    setAttr(button, "aria-disabled", "true");
    setText(button, "Starting…");
    try {
      this.started(await post(this.url, this.values()));
    } catch (problem) {
      this.#blame(problem);
    } finally {
      setAttr(button, "aria-disabled", false);
      setText(button, "Start the grab");
    }
  }

  #blame({ field: name, message }) {
    const field = name ? this.fields[name] : null;
    const place = field && !field.disabled && byId(`e-${name}`);
    if (!place) {
      setText(byId("e-form"), message);
      return;
    }
    const sentence = message.startsWith(`${name}: `) ? message.slice(name.length + 2) : message;
    setText(place, sentence.charAt(0).toUpperCase() + sentence.slice(1));
    setAttr(field, "aria-invalid", "true");
    field.focus();
  }

  #clear(name = "") {
    for (const field of name ? [this.fields[name]] : this.fields) {
      if (!field?.name) continue;
      setAttr(field, "aria-invalid", false);
      const place = byId(`e-${field.name}`);
      if (place) setText(place, "");
    }
    setText(byId("e-form"), "");
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

const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;
const BEARER = '-H "Authorization: Bearer $OVEN_TOKEN"';

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
    for (const [name, value] of given) body[name] = value === "true" || Number(value);
    const parts = ["curl", "-o", `page.${format}`, BEARER, "-H 'Content-Type: application/json'"];
    return ["The same by REST", [...parts, "-d", shell(JSON.stringify(body)), `${location.origin}/grab`].join(" ")];
  }
  const path = encodeURIComponent(piece).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16)}`);
  const query = given.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
  const address = `${location.origin}/grab/${format}/${width || 512}/${height || 512}/${path}${query && `?${query}`}`;
  const file = `${piece.replace(/[^\w~.-]+/g, "-").replace(/^[-.]+|-+$/g, "") || "piece"}.${format}`;
  const parts = ["curl", "-L", "-o", file, ...(skipCache ? [BEARER] : []), shell(address)];
  return ["The same by its address", parts.join(" ")];
}
