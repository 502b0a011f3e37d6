// The gallery: a picture is made anew without leaving the page.

import { notice, setText } from "../live/dom.js";
import { get, near, post } from "../live/server.js";
import { initTheme } from "../live/theme.js";

const LOOK_MS = 700;
const ENDED = ["complete", "failed", "cancelled"];

initTheme();
for (const form of document.querySelectorAll(".refresh")) form.addEventListener("submit", (event) => refresh(event, form));

async function refresh(event, form) {
  event.preventDefault();
  const button = form.querySelector("button");
  if (button.getAttribute("aria-disabled") === "true") return;
  const card = form.closest(".picture");
  button.setAttribute("aria-disabled", "true");
  try {
    const { statusUrl } = await post(form.action, Object.fromEntries(new FormData(form)));
    const job = await ended(statusUrl, (text) => setText(button.querySelector("span"), text));
    if (job.state !== "complete") throw new Error(job.error || `The job was ${job.state}.`);
    renew(card, form, job);
  } catch (problem) {
    notice(`${card.querySelector("h3").textContent}: ${problem.message}`, "bad");
  } finally {
    setText(button.querySelector("span"), "Refresh");
    button.removeAttribute("aria-disabled");
  }
}

async function ended(statusUrl, tell) {
  for (;;) {
    const job = await get(statusUrl);
    if (ENDED.includes(job.state)) return job;
    tell(job.state === "running" ? `${job.percent} %` : job.state);
    await new Promise((done) => setTimeout(done, LOOK_MS));
  }
}

/** A job that names its picture is shown in place; the page is loaded again for any other. */
function renew(card, form, job) {
  const url = near(job.facts?.url);
  const image = card.querySelector("img");
  if (!url || !image) return location.reload();
  image.src = card.querySelector(".frame").href = url;
  form.querySelector("[name=key]").value = job.id;
  setText(card.querySelector(".age"), "just now");
}
