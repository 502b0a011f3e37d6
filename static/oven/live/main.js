// The live page: one store of jobs, fed by the state and the websocket; the sections draw from it.

import { Done } from "./done.js";
import { byId, notice, setAttr, setText } from "./dom.js";
import { initKeys } from "./keys.js";
import { Link } from "./link.js";
import { Log } from "./log.js";
import { Next } from "./next.js";
import { Now } from "./now.js";
import { get, near, post } from "./server.js";
import { Start } from "./start.js";
import { Store } from "./store.js";
import { initTheme } from "./theme.js";
import { clock, many, number, title } from "./words.js";

const NET_MS = 15_000; // a look at the whole state while something runs, whatever the events said
const IDLE_NET_MS = 60_000;
const GAP_MS = 2000; // between two looks because of a gap
const BUSY_GAP_MS = 5000; // the same while progress, which may be left out, is the likely reason
const RELOADED = "oven.reloaded";

const boot = JSON.parse(byId("boot").textContent);
const store = new Store();
const log = new Log();
const now = new Now(store, act);
const next = new Next(store, act);
const done = new Done(store, act, boot.urls);
const start = new Start(boot, started);
let looked = performance.now(); // when the state was last asked for
let looking = false;
let timer = 0;
let timerAt = 0;
let failures = 0;
let pointed = "";

const link = new Link("/ws/live", { status: showLink, hello, events, gap, lost });

// --- the whole state ---

async function refetch() {
  clearTimeout(timer);
  timer = timerAt = 0;
  if (looking) return refetchIn(GAP_MS);
  looking = true;
  looked = performance.now();
  try {
    takeState(await get(boot.urls.state), looked);
    failures = 0;
    return true;
  } catch (problem) {
    if (problem.signedOut) signedOut();
    else if ((failures += 1) === 2 && byId("link").dataset.state === "live") link.restart();
    return false;
  } finally {
    looking = false;
  }
}

/** One look, `ms` after the last one at the earliest. */
function refetchIn(ms) {
  const at = Math.max(performance.now(), looked + ms);
  if (timer && timerAt <= at) return;
  clearTimeout(timer);
  timerAt = at;
  timer = setTimeout(refetch, at - performance.now());
}

function takeState(state, asked) {
  store.takeState(state, asked);
  log.take(state.log);
  next.announce(state.incoming);
}

// --- the websocket ---

function hello({ version }) {
  if (version !== boot.state.version && mayReload(version)) {
    start.keep();
    location.reload();
    return;
  }
  refetch();
}

/** Once for a version: two servers that differ must not send the page in circles. */
function mayReload(version) {
  try {
    if (sessionStorage.getItem(RELOADED) === version) return false;
    sessionStorage.setItem(RELOADED, version);
    return true;
  } catch {
    return false;
  }
}

function events(list) {
  for (const event of list) {
    if (event.type === "log") log.take([event.entry]);
    else if (event.job) takeJobEvent(event);
    else refetchIn(GAP_MS); // the frozen list, or an announced tape
  }
}

function takeJobEvent(event) {
  store.takeEvent(event);
  const { job } = event;
  if (event.type === "job.ended" && job.state === "complete") start.learn(job.facts?.piece);
  if (event.type === "job.started" && store.meta.unseen > 0) refetchIn(GAP_MS);
}

function gap() {
  refetchIn(store.running.length ? BUSY_GAP_MS : GAP_MS);
}

/** The socket was refused or dropped: is it the server, or are we signed out? */
function lost() {
  setTimeout(refetch, 200);
}

function signedOut() {
  link.stop();
  showLink("signed-out");
  const text = byId("link-text");
  const again = document.createElement("a");
  again.href = `/admin/login/?next=${encodeURIComponent(location.pathname)}`;
  again.textContent = "Signed out: sign in again";
  text.replaceChildren(again);
}

function showLink(state, delay = 0) {
  const box = byId("link");
  // A try that follows a lost connection is still "reconnecting".
  const shown = state === "connecting" && box.dataset.state === "reconnecting" ? "reconnecting" : state;
  setAttr(box, "data-state", shown);
  const texts = { connecting: "Connecting", live: "Live", reconnecting: "Reconnecting", paused: "Paused" };
  setText(byId("link-text"), texts[shown] ?? "");
  setAttr(box, "title", delay ? `Next try in ${Math.round(delay / 1000)} s` : null);
}

// --- what the buttons do ---

async function act(id, action, fields = {}) {
  const job = store.entries.get(id)?.job;
  if (action === "cancel" && job?.state === "cancelling") return;
  const url = boot.urls.act.replace("{id}", () => encodeURIComponent(id)).replace("{action}", () => action);
  try {
    const answer = await post(url, fields);
    if (action === "again") started(answer);
    else take(answer.job);
  } catch (problem) {
    if (problem.signedOut) signedOut();
    notice(problem.message, "bad");
    refetch();
  }
}

function started({ job, cached, joined }) {
  take(job);
  const name = title(job);
  if (cached) {
    pointed = job.id;
    notice(`${name}: already there, from the cache.`, "info", near(job.facts?.url)); // it may be too old for the shelf
  } else if (joined) {
    notice(`${name}: the same grab is under way already.`);
  } else {
    notice(`${name}: started.`);
  }
}

function take(job) {
  store.take(job);
  store.changed();
}

// --- drawing ---

let drawing = false;
store.addEventListener("change", () => {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(draw);
});

function draw() {
  drawing = false;
  const { running, waiting, ended, meta } = store;
  now.draw(running);
  next.draw(waiting);
  done.draw(ended);
  count("now", running.length);
  count("next", waiting.length + meta.unseen);
  setText(byId("version"), meta.version);
  const byPool = Object.entries(meta.pools);
  setText(byId("workers"), many(byPool.reduce((sum, [, count]) => sum + count, 0), "worker", "workers"));
  setAttr(byId("workers"), "title", byPool.map(([pool, count]) => `${count} ${pool}`).join(", "));
  setText(byId("frozen-count"), number(meta.frozenCount));
  document.title = running.length ? `(${running.length}) Oven` : "Oven";
  tick();
  if (pointed) done.point(pointed);
  pointed = "";
}

function count(name, value) {
  for (const node of document.querySelectorAll(`[data-count=${name}]`)) {
    setText(node, number(value));
    node.classList.toggle("some", value > 0);
  }
}

function tick() {
  setText(byId("uptime"), clock(store.uptime()));
  now.tick();
}

// --- from here on ---

initTheme();
initKeys({
  g: () => start.focus(),
  r: async () => notice((await refetch()) ? "Fetched again." : "Oven does not answer.", "info"),
  t: () => byId("theme").click(),
  "?": () => byId("help").showModal(),
});
byId("help-open").addEventListener("click", () => byId("help").showModal());
byId("help").addEventListener("click", (event) => event.target === event.currentTarget && event.target.close());

takeState(boot.state, performance.now());
link.start();
setInterval(tick, 500);
setInterval(() => done.tick(), 10_000);
setInterval(() => {
  if (document.visibilityState === "hidden" || link.stopped) return;
  const rest = store.running.length || store.waiting.length ? NET_MS : IDLE_NET_MS;
  if (performance.now() - looked >= rest) refetch();
}, 1000);
