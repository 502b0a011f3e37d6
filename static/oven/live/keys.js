// Single keys, while nothing is being typed.

const TYPING = "input:not([type=checkbox]), textarea, select, [contenteditable]";

export function initKeys(calls) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
    if (event.target instanceof Element && event.target.closest(TYPING)) return;
    if (document.querySelector("dialog[open]")) return; // Esc closes it by itself
    const call = calls[event.key];
    if (!call) return;
    event.preventDefault();
    call();
  });
}
