// System, light, dark; remembered.

import { byId, notice, setAttr, setIcon } from "./dom.js";

const THEMES = ["system", "light", "dark"];

export function initTheme() {
  const button = byId("theme");
  const draw = () => {
    const theme = document.documentElement.dataset.theme;
    setIcon(button, theme);
    setAttr(button, "aria-label", `Theme: ${theme}`);
    setAttr(button, "title", `Theme: ${theme} (t)`);
  };
  button.addEventListener("click", () => {
    next();
    draw();
  });
  addEventListener("storage", (event) => {
    if (event.key !== "t") return;
    document.documentElement.dataset.theme = THEMES.includes(event.newValue) ? event.newValue : "system";
    draw();
  });
  draw();
}

function next() {
  const root = document.documentElement;
  const theme = THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length];
  root.dataset.theme = theme;
  try {
    localStorage.setItem("t", theme);
  } catch {
    notice("The theme cannot be remembered here.");
  }
}
