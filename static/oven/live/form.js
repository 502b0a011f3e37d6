// What the page's forms share: values, errors at their fields, and the command that does the same.

import { byId, el, setAttr, setText } from "./dom.js";
import { fill, post } from "./server.js";

/** Puts the server's sentence at the field that it is about. `prefix`: of the ids, `PREFIX-e-NAME`. */
export function blame(form, prefix, { field: name, message }) {
  const field = name ? form.elements[name] : null;
  const place = field && !field.disabled && byId(`${prefix}-e-${name}`);
  if (!place) {
    setText(byId(`${prefix}-e-form`), message);
    return;
  }
  const sentence = message.startsWith(`${name}: `) ? message.slice(name.length + 2) : message;
  setText(place, /^\S+\.\S/.test(sentence) ? sentence : sentence.charAt(0).toUpperCase() + sentence.slice(1)); // hosts stay
  setAttr(field, "aria-invalid", "true");
  const folded = field.closest("details");
  if (folded) folded.open = true;
  field.focus();
}

export function clear(form, prefix, name = "") {
  for (const field of name ? [form.elements[name]] : form.elements) {
    if (!field?.name) continue;
    setAttr(field, "aria-invalid", false);
    const place = byId(`${prefix}-e-${field.name}`);
    if (place) setText(place, "");
  }
  setText(byId(`${prefix}-e-form`), "");
}

/** One form of the start panel. A subclass says `curl(values)` and may change `values()` and `draw()`. */
export class StartForm {
  /** `kind`: of job; `id`: of the form; `prefix`: of its fields' ids. */
  constructor(boot, started, { kind, id, prefix }) {
    this.form = byId(id);
    this.fields = this.form.elements;
    Object.assign(this, { kind, prefix, started, url: fill(boot.urls.start, { kind }) });
    this.button = this.form.querySelector("[type=submit]");
    this.label = this.button.textContent;
    this.form.addEventListener("input", (event) => {
      clear(this.form, prefix, event.target.name);
      this.draw();
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
  }

  /** What is sent: the contract's names and units, only of fields that apply. */
  values() {
    return Object.fromEntries([...new FormData(this.form)].map(([name, value]) => [name, value.trim()]));
  }

  draw() {
    const [label, command] = this.curl(this.values());
    setText(byId("curl-label"), label);
    setText(byId("curl"), command);
  }

  focus() {
    const first = [...this.fields].find((field) => field.name) ?? this.button;
    first.focus();
    first.select?.();
  }

  /** Sets fields by the contract's names; others keep what they have. */
  fill(values) {
    for (const [name, value] of Object.entries(values)) {
      const field = this.fields[name];
      if (!field || value === null || value === undefined) continue;
      if (field.type === "checkbox") field.checked = value === true || value === "true" || value === "1";
      else field.value = String(value);
    }
    clear(this.form, this.prefix);
    this.draw();
  }

  async #send() {
    if (this.button.getAttribute("aria-disabled") === "true") return;
    clear(this.form, this.prefix);
    setAttr(this.button, "aria-disabled", "true");
    setText(this.button, "Starting…");
    try {
      this.started(await post(this.url, this.values()));
    } catch (problem) {
      blame(this.form, this.prefix, problem);
    } finally {
      setAttr(this.button, "aria-disabled", false);
      setText(this.button, this.label);
    }
  }
}

export const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;
export const BEARER = '-H "Authorization: Bearer $OVEN_TOKEN"';
export const JSON_BODY = "-H 'Content-Type: application/json'";
export const fileName = (piece) => piece.replace(/[^\w~.-]+/g, "-").replace(/^[-.]+|-+$/g, "") || "piece";

export const option = (value, text = value) => el("option", { value, text });
