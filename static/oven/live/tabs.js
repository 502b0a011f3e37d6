// Tabs: arrows move between them, only the chosen one is a stop of the Tab key.

import { byId, setAttr, show } from "./dom.js";

export class Tabs {
  /** `list`: the element with role tablist; `chosen(name)` is told, where tab-NAME is the tab's id. */
  constructor(list, chosen = () => {}) {
    this.tabs = [...list.querySelectorAll("[role=tab]")];
    this.chosen = chosen;
    list.addEventListener("keydown", (event) => this.#move(event));
    for (const tab of this.tabs) tab.addEventListener("click", () => this.choose(name(tab)));
  }

  get now() {
    return name(this.tabs.find((tab) => tab.getAttribute("aria-selected") === "true") ?? this.tabs[0]);
  }

  choose(wanted) {
    if (!this.tabs.some((tab) => name(tab) === wanted)) return;
    for (const tab of this.tabs) {
      const yes = name(tab) === wanted;
      setAttr(tab, "aria-selected", String(yes));
      setAttr(tab, "tabindex", yes ? "0" : "-1");
      show(byId(tab.getAttribute("aria-controls")), yes);
    }
    this.chosen(wanted);
  }

  #move(event) {
    const at = this.tabs.indexOf(document.activeElement);
    const steps = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: this.tabs.length - 1 };
    if (at < 0 || !(event.key in steps)) return;
    event.preventDefault();
    const next = this.tabs[(steps[event.key] + this.tabs.length) % this.tabs.length];
    next.focus();
    this.choose(name(next));
  }
}

const name = (tab) => tab.id.slice("tab-".length);
