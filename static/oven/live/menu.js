// A menu at a button: arrows move, Enter chooses, Esc closes; one at a time.

import { byId, el, icon } from "./dom.js";

let opener = null;

/** `items`: { label, run, sign?, href? } each, null ones are left out. A second click on the button closes it. */
export function openMenu(button, label, items) {
  const menu = byId("menu");
  const same = opener === button && menu.matches(":popover-open");
  if (menu.matches(":popover-open")) menu.hidePopover();
  if (same) return;
  opener = button;
  menu.setAttribute("aria-label", label);
  menu.replaceChildren(...items.filter(Boolean).map(entry));
  menu.showPopover();
  place(menu, button.getBoundingClientRect());
  button.setAttribute("aria-expanded", "true");
  menu.firstElementChild?.focus();
}

export function initMenu() {
  const menu = byId("menu");
  menu.addEventListener("keydown", (event) => move(menu, event));
  menu.addEventListener("toggle", (event) => {
    if (event.newState !== "closed" || !opener) return;
    opener.setAttribute("aria-expanded", "false");
    if (menu.contains(document.activeElement) || document.activeElement === document.body) opener.focus();
  });
  const follow = () => menu.matches(":popover-open") && opener && place(menu, opener.getBoundingClientRect());
  addEventListener("scroll", follow, { passive: true, capture: true });
  addEventListener("resize", follow);
}

function entry({ label, run, sign = "", href = "" }) {
  const inside = [sign ? icon(sign) : el("span", { class: "sign" }), el("span", { text: label })];
  if (href) return el("a", { role: "menuitem", tabindex: "-1", href, on: { click: close } }, ...inside);
  const choose = () => {
    close();
    run();
  };
  return el("button", { type: "button", role: "menuitem", tabindex: "-1", on: { click: choose } }, ...inside);
}

function close() {
  byId("menu").hidePopover();
}

/** Below its button, or above where there is more room. */
function place(menu, { left, right, top, bottom }) {
  const { width, height } = menu.getBoundingClientRect();
  const x = left + width > innerWidth - 8 ? right - width : left;
  const y = bottom + height > innerHeight - 8 && top > height ? top - height - 4 : bottom + 4;
  menu.style.left = `${Math.max(8, x)}px`;
  menu.style.top = `${Math.max(8, y)}px`;
}

function move(menu, event) {
  const items = [...menu.children];
  const at = items.indexOf(document.activeElement);
  const steps = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 };
  if (event.key === "Tab") close();
  if (!(event.key in steps)) return;
  event.preventDefault();
  items[(steps[event.key] + items.length) % items.length].focus();
}
