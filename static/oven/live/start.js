// The panel that starts jobs: a form for each kind that the person may start.

import { byId, copy, el, notice } from "./dom.js";
import { BEARER, fileName, JSON_BODY, shell, StartForm } from "./form.js";
import { GrabForm } from "./grab_form.js";
import { Tabs } from "./tabs.js";

const KEPT = "oven.form"; // over a reload of the page, not longer
const PIECES = 60;

class BakeForm extends StartForm {
  constructor(boot, started) {
    super(boot, started, { kind: "bake", id: "bake", prefix: "k" });
  }

  fillFrom(spec) {
    const { mongo_id, zip_url, callback_url, ...others } = spec;
    this.form.reset();
    this.fill({ mongoId: mongo_id, zipUrl: zip_url, callbackUrl: callback_url, ...others });
  }

  curl(values) {
    const { code = "", slug, zipUrl, callbackUrl, mongoId } = values;
    const body = { mongoId: mongoId || "staff", slug: slug || code, code, zipUrl, callbackUrl: callbackUrl || "https://…" };
    const secret = `,"callbackSecret":"'"$OVEN_CALLBACK_SECRET"'"}'`;
    return ["The same by REST", `curl ${JSON_BODY} -d ${shell(JSON.stringify(body)).slice(0, -2)}${secret} ${location.origin}/bake`];
  }
}

class BundleForm extends StartForm {
  constructor(boot, started) {
    super(boot, started, { kind: "bundle", id: "bundle", prefix: "b" });
  }

  fillFrom({ piece, code, compress = true, minify = true, density, m4d }) {
    this.form.reset();
    const format = m4d ? "m4d" : "html";
    this.fill({ piece: piece || `$${code}`, nocompress: !compress, nominify: !minify, density: density || "", format });
  }

  curl({ piece, skipCache, ...values }) {
    const named = piece || "orbit";
    const given = { [named.startsWith("$") ? "code" : "piece"]: named, ...values };
    const query = new URLSearchParams(Object.entries(given).filter(([name, value]) => value && !(name === "format" && value === "html")));
    if (skipCache) query.set("skipCache", "true");
    const end = values.format === "m4d" ? "amxd" : "html";
    const parts = ["curl", "-o", `${fileName(named)}.${end}`, ...(skipCache ? [BEARER] : [])];
    return ["The same by its address", [...parts, shell(`${location.origin}/bundle-html?${query}`)].join(" ")];
  }
}

class CoreForm extends StartForm {
  constructor(boot, started) {
    super(boot, started, { kind: "core", id: "core", prefix: "c" });
  }

  fillFrom() {
    this.draw();
  }

  curl() {
    return ["The same by REST", `curl -X POST ${BEARER} ${location.origin}/bundle-prewarm`];
  }
}

const FORMS = { grab: GrabForm, bake: BakeForm, bundle: BundleForm, core: CoreForm };

export class Start {
  constructor(boot, started) {
    this.pieces = byId("pieces");
    this.pieces.replaceChildren(...boot.pieces.map((value) => el("option", { value })));
    const kinds = boot.may.start.filter((kind) => kind in FORMS);
    this.forms = Object.fromEntries(kinds.map((kind) => [kind, new FORMS[kind](boot, started)]));
    if (!kinds.length) return;
    this.tabs = new Tabs(byId("start-tabs"), (kind) => this.forms[kind].draw());
    byId("curl-copy").addEventListener("click", async () => {
      const copied = await copy(byId("curl").textContent);
      notice(copied ? "Command copied." : "The command could not be copied.", copied ? "info" : "bad");
    });
    this.#recall();
    this.tabs.choose(this.tabs.now);
  }

  focus() {
    if (this.tabs) this.forms[this.tabs.now].focus();
  }

  /** The form, as an ended job was asked for. */
  change(job) {
    this.tabs.choose(job.kind);
    this.forms[job.kind].fillFrom(job.facts.spec);
    byId("start-title").scrollIntoView({ block: "nearest" });
    this.focus();
  }

  /** A piece that was grabbed: offered from now on. */
  learn(piece) {
    if (!piece || [...this.pieces.options].some((option) => option.value === piece)) return;
    this.pieces.prepend(el("option", { value: piece }));
    while (this.pieces.options.length > PIECES) this.pieces.lastElementChild.remove();
  }

  /** Before the page loads itself again. */
  keep() {
    const kept = Object.entries(this.forms).map(([kind, { form }]) => [kind, [...new FormData(form)]]);
    try {
      sessionStorage.setItem(KEPT, JSON.stringify({ tab: this.tabs?.now ?? "", kept }));
    } catch {
      // Then what was typed is lost.
    }
  }

  #recall() {
    try {
      const { tab, kept } = JSON.parse(sessionStorage.getItem(KEPT) ?? '{"kept":[]}');
      sessionStorage.removeItem(KEPT);
      for (const [kind, fields] of kept) for (const [name, value] of fields) this.#set(kind, name, value);
      if (tab) this.tabs.choose(tab);
    } catch {
      // Nothing that could be read.
    }
  }

  #set(kind, name, value) {
    const field = this.forms[kind]?.fields[name];
    if (field?.type === "checkbox") field.checked = true;
    else if (field) field.value = value;
  }
}
