// The Content-Security-Policy allows neither styles made by a script nor, but for Alpine.js, compiled text.
htmx.config.includeIndicatorStyles = false;
htmx.config.allowEval = false;

// Thumbnails play while pointed at or focused.
const still = matchMedia("(prefers-reduced-motion: reduce)");

function play(image) {
  if (!image.dataset.play || still.matches) return;
  if (image.dataset.mime === "video/mp4") {
    const video = Object.assign(document.createElement("video"), { src: image.dataset.play, muted: true, loop: true, autoplay: true });
    video.className = image.className;
    video.dataset.stillFor = "1";
    video.addEventListener("mouseleave", () => video.replaceWith(image), { once: true });
    image.replaceWith(video);
    return;
  }
  image.dataset.poster ??= image.src;
  image.src = image.dataset.play;
}

function stop(image) {
  if (image.dataset.poster) image.src = image.dataset.poster;
}

for (const [event, act] of [["mouseover", play], ["focusin", play], ["mouseout", stop], ["focusout", stop]]) {
  document.addEventListener(event, (found) => {
    if (found.target.matches?.("img.oven-thumb[data-play]")) act(found.target);
  });
}

// Django's own two-sided lists give their help texts a name but no role.
function nameHelps() {
  for (const help of document.querySelectorAll("span.help-tooltip[aria-label]")) help.setAttribute("role", "img");
}
addEventListener("load", () => setTimeout(nameHelps)); // they are made by another listener
