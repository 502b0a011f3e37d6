// Runs before the first paint: the remembered theme.
(() => {
  let theme = "";
  try {
    theme = localStorage.getItem("t") ?? "";
  } catch {
    // No storage here: the system's theme.
  }
  document.documentElement.dataset.theme = theme === "light" || theme === "dark" ? theme : "system";
})();
