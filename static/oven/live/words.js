// How numbers, times and states read.

const STAGES = {
  starting: "Starting",
  downloading: "Fetching the tape",
  extracting: "Reading the tape",
  processing: "Making the video",
  listing: "Reading the list of pieces",
  composing: "Composing the picture",
  loading: "Opening the page",
  settling: "Letting it settle",
  capturing: "Taking frames",
  encoding: "Writing the file",
  uploading: "Storing",
  preparing: "Computing the CID",
  pinning: "Pinning to IPFS",
  storing: "Storing a copy",
};
const REASONS = {
  frozen: "The piece did not move: this is a still",
  flat: "The piece is one colour: this is a still",
  fallback: "Only one picture could be had",
};
const KINDS = { bake: "Bake again", bundle: "Bundle again", card: "Make again", pin: "Pin again" };
const FROZEN = {
  frozen: "It did not move",
  flat: "It is one colour",
  staff: "Put here by hand",
};
const SITE = {
  told: ["telling the site", "cool", "Its callback is under way"],
  undelivered: ["site not told", "bad", "The callback was not accepted: replay it in the admin"],
};
const MODES = {
  injected: "Time was driven by a clock put into the page",
  plain: "Time was driven by a clock put into the page, drawn by the ordinary compositor",
  realtime: "Recorded in real time",
  still: "One picture, whatever was there",
};

export const stage = (job) => (job.state === "cancelling" ? "Cancelling" : (STAGES[job.stage] ?? (job.stage || "Starting")));

export const anew = (job) => KINDS[job.kind] ?? "Grab again";
export const frozenReason = ({ reason }) => FROZEN[reason] ?? reason;

export function bytes(count) {
  if (count < 1000) return `${count} B`;
  const [value, unit] = count < 1e6 ? [count / 1e3, "kB"] : [count / 1e6, "MB"];
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`;
}

/** Megabytes as a person reads them. */
export const megabytes = (mb) => (mb < 1000 ? `${Math.round(mb)} MB` : `${(mb / 1000).toFixed(1)} GB`);

/** A span of time: 3.2 s, 1:05, 2 h 10 min. */
export function span(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 60) return `${Math.round(s)} s`;
  return clock(ms);
}

/** The same without tenths, for numbers that tick. */
export function clock(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")} min`;
  const hours = Math.floor(s / 3600);
  return hours < 48 ? `${hours} h ${Math.floor((s % 3600) / 60)} min` : `${Math.floor(hours / 24)} days`;
}

/** How long ago. */
export function ago(ms) {
  const s = ms / 1000;
  if (s < 10) return "just now";
  if (s < 60) return `${Math.floor(s / 10) * 10} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  return s < 86400 ? `${Math.floor(s / 3600)} h ago` : `${Math.floor(s / 86400)} d ago`;
}

export const number = (value) => value.toLocaleString("en-GB");
export const many = (count, one, more) => `${number(count)} ${count === 1 ? one : more}`;
export const title = (job) => job.facts?.piece || job.name || job.id;
export const size = ({ width, height }) => (width && height ? `${width}×${height}` : "");

/** The badges of any job: its format and size. */
export function basics(job) {
  const kind = job.kind === "grab" ? "" : job.kind;
  return [kind, job.facts?.format, size(job.facts ?? {})].filter(Boolean).map((text) => [text, "plain"]);
}

/** The badges of an ended one: what is special about it. */
export function remarks({ state, facts = {}, error_code: code, requeued }) {
  const badges = [];
  if (requeued) badges.push(["requeued", "cool", "Another job does the same since"]);
  if (state === "failed") badges.push(["failed", "bad"]);
  if (state === "failed" && code) badges.push([code.replaceAll("_", " "), "plain", "The error's code"]);
  if (facts.cached) badges.push(["cached", "cool", "The answer to a wish came from the cache"]);
  if (state === "cancelled") badges.push(["cancelled", "plain"]);
  if (facts.site in SITE) badges.push(SITE[facts.site]);
  if (facts.site === "told" && facts.siteStatus) badges.push([facts.siteStatus, "plain", "What the site last said"]);
  if (facts.still) badges.push([facts.still, "cool", REASONS[facts.still]]);
  if (facts.blank) badges.push(["black", "warn", "Every frame is black"]);
  const warnings = facts.warnings ?? [];
  if (warnings.length) {
    const count = warnings.length === 1 ? "1 warning" : `${warnings.length} warnings`;
    badges.push([count, "warn", warnings.join("\n")]);
  }
  if (state === "complete" && facts.mode && facts.mode !== "virtual") badges.push([facts.mode, "warn", MODES[facts.mode]]);
  return badges;
}
