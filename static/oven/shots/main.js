// The store screenshots' page: starts captures, and shows how far each is, until all have ended.

import { exact } from "../live/clock.js";
import { byId, el, notice, setAttr, setText, show } from "../live/dom.js";
import { get, safe } from "../live/server.js";
import { initTheme } from "../live/theme.js";

const LOOK_MS = 700;
const boot = JSON.parse(byId("boot").textContent);
const cards = new Map([...document.querySelectorAll(".shot-card")].map((node) => [node.dataset.preset, node]));
let timer = 0;

initTheme();
if (boot.overview) {
  for (const [name, card] of cards) wire(name, card);
  wireAll("capture-all", (shot) => shot.state === "missing" || shot.state === "failed", false);
  wireAll("again-all", () => true, true);
  draw(boot.overview);
}

function wire(name, card) {
  card.querySelector(".capture").addEventListener("click", () => start([name], false));
  card.querySelector(".again")?.addEventListener("click", () => start([name], true));
}

function wireAll(id, wanted, force) {
  const names = () => Object.keys(boot.overview.presets).filter((name) => wanted(boot.overview.presets[name]));
  byId(id)?.addEventListener("click", () => start(names(), force));
}

/** Puts captures into the queue; none of the requests waits for its picture. */
async function start(names, force) {
  const query = force ? "?nowait=true&force=true" : "?nowait=true";
  for (const name of names) {
    try {
      await get(boot.overview.presets[name].url + query);
    } catch (problem) {
      notice(`${boot.overview.presets[name].label}: ${problem.message}`, "bad");
      break;
    }
  }
  look();
}

async function look() {
  clearTimeout(timer);
  try {
    draw(await get(boot.overviewUrl));
  } catch (problem) {
    notice(problem.message, "bad");
    timer = setTimeout(look, 10 * LOOK_MS);
  }
}

function draw(overview) {
  boot.overview = overview;
  const shots = Object.entries(overview.presets);
  for (const [name, shot] of shots) if (cards.has(name)) drawCard(cards.get(name), shot);
  const states = shots.map(([, shot]) => shot.state);
  show(byId("capture-all"), states.some((state) => state === "missing" || state === "failed"));
  if (byId("again-all")) show(byId("again-all"), states.every((state) => state === "ready"));
  if (states.includes("baking")) timer = setTimeout(look, LOOK_MS);
}

function drawCard(card, shot) {
  card.dataset.state = shot.state;
  drawPicture(card.querySelector(".frame"), shot);
  const bar = card.querySelector(".bar");
  show(bar, shot.state === "baking");
  bar.firstElementChild.style.transform = `scaleX(${(shot.percent ?? 0) / 100})`;
  setText(card.querySelector(".said"), said(shot));
  setText(card.querySelector(".error"), shot.state === "failed" ? shot.error : "");
  setText(card.querySelector(".capture"), shot.state === "failed" ? "Try again" : "Capture");
  show(card.querySelector(".capture"), shot.state === "missing" || shot.state === "failed");
  show(card.querySelector(".save"), Boolean(shot.imageUrl));
  const again = card.querySelector(".again");
  if (again) show(again, shot.state === "ready");
}

function drawPicture(frame, shot) {
  const url = safe(shot.imageUrl);
  let image = frame.querySelector("img");
  if (!url) image?.remove();
  else if (!image) frame.prepend((image = el("img", { alt: shot.label, width: shot.width, height: shot.height })));
  if (url) setAttr(image, "src", url);
  const notes = { missing: "Not captured yet", baking: "", failed: "Failed" };
  setText(frame.querySelector(".note"), notes[shot.state] ?? "");
}

function said(shot) {
  if (shot.state === "baking") return `${shot.stage} · ${shot.percent} %`;
  if (!shot.imageUrl) return "";
  const size = shot.bytes < 1e6 ? `${Math.round(shot.bytes / 1e3)} kB` : `${(shot.bytes / 1e6).toFixed(1)} MB`;
  const large = shot.bytes > 8 * 1024 * 1024 ? ", more than stores take" : "";
  return `${size}${large} · ${exact(shot.capturedAt)}`;
}
