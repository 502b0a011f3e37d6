// The live page: one store of jobs, fed by the state and the websocket; the sections draw from it.

import { Bulk } from "./bulk.js";
import { Charts } from "./charts.js";
import { Done } from "./done.js";
import { byId, el, notice, setAttr, setText } from "./dom.js";
import { Filters } from "./filters.js";
import { Frozen } from "./frozen.js";
import { initKeys } from "./keys.js";
import { Link } from "./link.js";
import { Log } from "./log.js";
import { initMenu, openMenu } from "./menu.js";
import { Next } from "./next.js";
import { Now } from "./now.js";
import { Picked } from "./picked.js";
import { fill, get, near, post } from "./server.js";
import { Start } from "./start.js";
import { Store } from "./store.js";
import { Tabs } from "./tabs.js";
import { initTheme } from "./theme.js";
import { Vitals } from "./vitals.js";
import { cardKeys } from "./walk.js";
import { number, title } from "./words.js";

const NET_MS = 15_000; // a look at the whole state while something runs, whatever the events said
const IDLE_NET_MS = 60_000;
const GAP_MS = 1000; // between two looks because of a gap
const NEWS_MS = 2000; // the same because of something that the events do not tell
const PUSHED_MS = 2000; // a state that comes by itself may be older than what a button has just answered
const RELOADED = "oven.reloaded";

const boot = JSON.parse(byId("boot").textContent);
const store = new Store();
const log = new Log(boot.urls);
const filters = new Filters(boot);
const bulk = new Bulk(boot, store, () => refetchIn(GAP_MS));
const picked = new Picked(boot, store, bulk);
const start = new Start(boot, started);
const tools = { act, picked, may: boot.may, lanes: boot.lanes, urls: boot.urls, change: (job) => start.change(job), freeze, showLog };
const now = new Now(store, tools);
const next = new Next(store, tools);
const done = new Done(store, filters, tools);
const frozen = new Frozen(store, filters, tools, bulk);
const charts = new Charts(boot);
const vitals = new Vitals(store, boot.alertLinks);
const work = new Tabs(byId("work-tabs"), look);
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
    if (filters.active) done.refetch();
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
  vitals.take(state.vitals);
  bulk.takeAll(state.bulks ?? []);
}

// --- the websocket ---

function hello({ version, state }) {
  if (version !== boot.state.version && mayReload(version)) {
    start.keep();
    location.reload();
    return;
  }
  if (!state) return refetch();
  clearTimeout(timer);
  timer = timerAt = 0;
  looked = performance.now();
  takeState(state, looked - PUSHED_MS);
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
    else if (event.type === "vitals") vitals.take(event.vitals);
    else if (event.type !== "other") takeNews(event); // of which the public only learns that it was
  }
}

/** The frozen list, an announced tape, an action on many jobs. */
function takeNews({ type, bulk: action }) {
  if (type === "frozen.changed") frozen.changed();
  if (action) bulk.take(action);
  refetchIn(NEWS_MS);
}

function takeJobEvent(event) {
  store.takeEvent(event);
  const { job } = event;
  if (job.kind === "bake") next.arrived(job.facts?.piece);
  if (event.type === "job.ended" && job.state === "complete") start.learn(job.facts?.piece);
  if (event.type === "job.started" && store.meta.unseen > 0) refetchIn(NEWS_MS);
}

function gap() {
  refetchIn(GAP_MS);
}

/** The socket was refused or dropped: is it the server, or are we signed out? */
function lost() {
  setTimeout(refetch, 200);
}

function signedOut() {
  link.stop();
  showLink("signed-out");
  const text = byId("link-text");
  const href = `/admin/login/?next=${encodeURIComponent(location.pathname + location.search)}`;
  text.replaceChildren(el("a", { href, text: "Signed out: sign in again" }));
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
  const url = fill(boot.urls.act, { id, action });
  try {
    const answer = await post(url, fields);
    if (action === "pin") notice(`${title(job ?? answer.job)}: is being pinned to IPFS.`);
    if (action === "again") started(answer);
    else if (answer.job) take(answer.job);
  } catch (problem) {
    if (problem.signedOut) signedOut();
    notice(problem.message, "bad");
    refetch();
  }
}

function started({ job, cached, joined }) {
  if (cached) store.cached.add(job.id);
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
  const wanted = (entries) => (filters.active ? entries.filter(({ job }) => filters.matches(job)) : entries);
  const shown = wanted(running);
  now.draw(shown, running.length - shown.length);
  next.draw(waiting, wanted(waiting));
  done.draw(ended);
  count("now", running.length);
  count("next", waiting.length + meta.unseen);
  setText(byId("version"), meta.version);
  vitals.drawPools(meta.pools);
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
  now.tick();
  vitals.tick();
}

// --- the results' tabs ---

function look(tab) {
  if (tab === "frozen") frozen.look();
  if (tab === "charts") charts.look();
}

function freeze(job) {
  work.choose("frozen");
  frozen.begin(job.facts.piece);
}

function showLog(job) {
  log.only(job.id);
  byId("log-title").scrollIntoView({ block: "nearest" });
  byId("log-title").focus({ preventScroll: true });
}

// --- the whole filter ---

function actOnFilter(button) {
  const { may } = boot;
  const again = (skip) => bulk.ask("again", filters.values, skip ? { skipCache: "true" } : {});
  openMenu(button, "Act on all that is found", [
    may.again.length && { label: "Requeue what has ended…", sign: "again", run: () => again(false) },
    may.again.length && { label: "Requeue without the cache…", sign: "afresh", run: () => again(true) },
    may.act.length && { label: "Cancel what waits and runs…", sign: "cross", run: () => bulk.ask("cancel", filters.values) },
    ...(may.act.length ? boot.lanes : []).map(({ name, label }) => ({
      label: `Move what waits to “${label}”…`, sign: "lane", run: () => bulk.ask("lane", filters.values, { lane: name }),
    })),
  ]);
}

// --- from here on ---

initTheme();
initMenu();
initKeys({
  ...cardKeys({ act, picked, store, may: boot.may }),
  "/": () => filters.focus(),
  g: () => start.focus(),
  r: async () => notice((await refetch()) ? "Fetched again." : "Oven does not answer.", "info"),
  t: () => byId("theme").click(),
  "?": () => byId("help").showModal(),
});
byId("help-open").addEventListener("click", () => byId("help").showModal());
for (const id of ["help", "confirm"]) {
  byId(id).addEventListener("click", (event) => event.target === event.currentTarget && event.target.close());
}
byId("filter-act")?.addEventListener("click", (event) => actOnFilter(event.currentTarget));
filters.addEventListener("change", () => store.changed());
document.querySelector('.jump a[href="#done-title"]').addEventListener("click", () => work.choose("done"));

takeState(boot.state, performance.now());
done.refetch();
link.start();
setInterval(tick, 500);
setInterval(() => bulk.tick(), 250);
setInterval(() => {
  done.tick();
  frozen.tick();
  charts.look();
}, 10_000);
setInterval(() => {
  if (document.visibilityState === "hidden" || link.stopped) return;
  const rest = store.running.length || store.waiting.length ? NET_MS : IDLE_NET_MS;
  if (performance.now() - looked >= rest) refetch();
}, 1000);
