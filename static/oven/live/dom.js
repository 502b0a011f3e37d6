// Builds and patches the page. Texts only ever become text nodes: pieces may be named anything.

const SVG = "http://www.w3.org/2000/svg";

/** An element. Properties: `class`, `text`, `data`, `on`, and attributes; null and false are left out. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "class") node.className = value;
    else if (name === "text") node.textContent = value;
    else if (name === "data") Object.assign(node.dataset, value);
    else if (name === "on") for (const [type, call] of Object.entries(value)) node.addEventListener(type, call);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** A picture from the page's sprite. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

export function setIcon(button, name) {
  setAttr(button.querySelector("use"), "href", `#i-${name}`);
}

export function iconButton(name, label, click) {
  return el("button", { type: "button", class: "icon", "aria-label": label, title: label, on: { click } }, icon(name));
}

export const byId = (id) => document.getElementById(id);

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttr(node, name, value) {
  if (value === null || value === false) node.removeAttribute(name);
  else if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

export function setStyle(node, name, value) {
  if (node.style[name] !== value) node.style[name] = value;
}

export function show(node, yes) {
  if (node.hidden === yes) node.hidden = !yes;
}

/** Sets a list's badges: [text, tone] each. */
export function setBadges(node, badges) {
  const wanted = JSON.stringify(badges);
  if (node.dataset.now === wanted) return;
  node.dataset.now = wanted;
  node.replaceChildren(...badges.map(([text, tone, title]) => el("span", { class: "badge", data: { tone }, title, text })));
}

/** Keeps a list's children in step with items, by id: makes, updates, moves and removes only what differs. */
export class Keyed {
  constructor(list, make) {
    this.list = list;
    this.make = make;
    this.views = new Map();
  }

  draw(items) {
    const wanted = new Set(items.map((item) => item.id));
    const focused = this.list.contains(document.activeElement) ? document.activeElement : null;
    const place = focused ? [...this.list.children].findIndex((node) => node.contains(focused)) : -1;
    for (const [id, view] of this.views) {
      if (wanted.has(id)) continue;
      view.gone?.();
      view.node.remove();
      this.views.delete(id);
    }
    let next = this.list.firstElementChild;
    items.forEach((item, index) => {
      let view = this.views.get(item.id);
      if (!view) this.views.set(item.id, (view = this.make(item)));
      if (view.node === next) next = next.nextElementSibling;
      else this.list.insertBefore(view.node, next);
      view.update(item, index);
    });
    if (focused && focused !== document.activeElement) this.#refocus(focused, place);
  }

  /** What had the focus was moved, or is gone: then what stands in its place now, or the heading. */
  #refocus(focused, place) {
    const moved = focused.isConnected ? focused : null;
    const beside = this.list.children[Math.min(place, this.list.children.length - 1)];
    const next = moved ?? (beside?.matches("[tabindex]") ? beside : this.list.closest("section")?.querySelector("h2"));
    next?.focus({ preventScroll: true });
  }

  tick() {
    for (const view of this.views.values()) view.tick?.();
  }
}

/** Read out, not shown. */
export function say(text) {
  setText(byId("say"), text);
}

/** The options of a select: its first one stays, the chosen one too. */
export function setOptions(select, choices) {
  const chosen = select.value;
  const first = select.options[0];
  select.replaceChildren(first, ...choices.map(({ name, label }) => el("option", { value: name, text: label })));
  select.value = chosen;
}

/** A short message at the edge of the page, read out by screen readers. */
export function notice(text, tone = "info", href = "") {
  const box = byId("notices");
  const link = href ? el("a", { href, target: "_blank", rel: "noopener", text: "Open" }) : null;
  const line = el("p", { class: "notice", data: { tone } }, el("span", { text }), link);
  const drop = () => line.remove();
  line.append(iconButton("cross", "Dismiss", drop));
  box.append(line);
  while (box.childElementCount > 4) box.firstElementChild.remove();
  setTimeout(drop, tone === "bad" ? 12000 : 6000);
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Not allowed outside of https and localhost: the old way.
  }
  const area = el("textarea", { class: "hush", readonly: true, tabindex: "-1" });
  const before = document.activeElement;
  area.value = text;
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  before?.focus?.({ preventScroll: true });
  return copied;
}
