// Single keys, while nothing is being typed.

const TYPING = "input:not([type=checkbox]), textarea, select, [contenteditable]";

export function initKeys(calls) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
    if (event.target instanceof Element && event.target.closest(TYPING)) return;
    if (document.querySelector("dialog[open], [popover]:popover-open")) return; // Esc closes it by itself
    const call = calls[event.key];
    if (!call || (event.key.startsWith("Arrow") && !event.target.matches?.("[data-card]"))) return;
    event.preventDefault();
    call(event);
  });
}
