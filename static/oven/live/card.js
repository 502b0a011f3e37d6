// The card of an ended job.

import { exact } from "./clock.js";
import { copy, el, icon, iconButton, notice, setAttr, setBadges, setIcon, setText, show } from "./dom.js";
import { openMenu } from "./menu.js";
import { Player } from "./player.js";
import { near, safe } from "./server.js";
import { ago, anew, basics, bytes, remarks, span, title } from "./words.js";

/** `tools`: what a person may do, and how: act, may, picked, urls, change(job), freeze(job), showLog(job). */
export function card(entry, store, tools) {
  const { act, may, picked } = tools;
  const player = new Player();
  const name = el("h3", { dir: "auto" });
  const badges = el("p", { class: "badges" });
  const facts = el("span");
  const when = el("span", { class: "when" });
  const open = el("a", { class: "icon", target: "_blank", rel: "noopener", title: "Open" }, icon("open"));
  const copier = iconButton("copy", "Copy the address", () => copyUrl(entry.job, copier));
  const load = el("a", { class: "icon", title: "Download", download: "" }, icon("download"));
  const mayAgain = may.again.includes(entry.job.kind);
  const again = mayAgain ? iconButton("again", anew(entry.job), () => act(entry.id, "again")) : null;
  const more = iconButton("more", "More", () => openMenu(more, "More to do", choices(entry.job, tools)));
  setAttr(more, "aria-haspopup", "menu");
  const box = mayAgain ? picked.box(entry.id, title(entry.job)) : null;
  const node = el(
    "li",
    { class: "card result", tabindex: "-1", data: { id: entry.id, card: "done" } },
    player.node,
    box,
    el("div", { class: "body" }, name, badges, el("p", { class: "soft meta" }, facts, when)),
    el("div", { class: "actions" }, open, copier, load, again, more),
  );
  player.listen(node);
  const tick = () => setText(when, ago(store.now() - entry.job.ended));

  function update(now) {
    entry = now;
    const { job } = entry;
    const known = { ...job.facts, cached: job.facts?.cached || store.cached.has(job.id) };
    const text = title(job);
    picked.draw(node, box, job.id, text);
    setText(name, text);
    setAttr(name, "title", text);
    setBadges(badges, [...basics(job), ...remarks({ ...job, facts: known })]);
    setAttr(node, "data-state", job.state);
    drawFacts(facts, job);
    setAttr(when, "title", exact(job.ended));
    const url = near(known.url);
    for (const link of [open, copier, load]) show(link, Boolean(url));
    if (url) {
      setAttr(open, "href", url);
      setAttr(load, "href", job.kind === "bundle" ? `${url}?download=1` : url);
    }
    for (const [button, label] of [
      [open, "Open"],
      [copier, "Copy the address of"],
      [load, "Download"],
      [again, `${anew(job)}:`],
      [more, "More to do with"],
    ]) {
      if (button) setAttr(button, "aria-label", `${label} ${text}`);
    }
    player.update(job, text);
    tick();
  }

  return { node, update, tick, gone: () => player.stop(), open: () => (open.hidden ? null : open.click()) };
}

function drawFacts(node, job) {
  const { length, bytes: weight } = job.facts ?? {};
  const took = job.started ? span(job.ended - job.started) : "";
  setText(node, [length && `${span(length)} long`, weight ? bytes(weight) : "", took].filter(Boolean).join(" · "));
  const all = `${span(job.ended - job.created)} from being asked for`;
  setAttr(node, "title", job.attempt > 1 ? `${all}, ${job.attempt} attempts` : all);
}

/** What the menu offers, by what the job is and what the person may do. */
function choices(job, { act, may, urls, change, freeze, showLog }) {
  const grab = job.kind === "grab";
  const good = job.state === "complete" && job.facts?.url;
  return [
    grab && may.again.includes("grab") && {
      label: "Grab again without the cache", sign: "afresh", run: () => act(job.id, "again", { skipCache: "true" }),
    },
    job.facts?.spec && may.start.includes(job.kind) && { label: "Again, with changes…", sign: "edit", run: () => change(job) },
    grab && may.freeze && { label: "Freeze this piece…", sign: "frozen", run: () => freeze(job) },
    grab && good && urls.pin && may.pin && { label: "Pin to IPFS", sign: "pin", run: () => act(job.id, "pin") },
    { label: "Its lines in the log", sign: "log", run: () => showLog(job) },
    may.admin && job.kind in urls.admin && {
      label: "Its row in the admin", sign: "row", href: `${urls.admin[job.kind]}?q=${encodeURIComponent(job.id)}`,
    },
  ];
}

async function copyUrl(job, button) {
  const copied = await copy(safe(job.facts.url));
  notice(copied ? "Address copied." : "The address could not be copied.", copied ? "info" : "bad");
  if (!copied) return;
  setIcon(button, "done");
  setTimeout(() => setIcon(button, "copy"), 1500);
}
