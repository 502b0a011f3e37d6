// What the page knows: jobs by id, merged from whole states and from events, in whatever order these arrive.

const LANES = ["keep", "now", "heavy", "batch"];
const WAITING = ["queued", "retrying"];
const RUNNING = ["running", "cancelling"];
const RECENT = 48;
const QUEUE = 300; // waiting jobs that are kept one by one; the others are a number
const DEFAULT_WAIT_MS = 30_000;
const ENDED = 1e9;

/** A job only ever moves to a higher rank: whatever says less is old news. */
function rank(job) {
  if (WAITING.includes(job.state)) return job.attempt * 4 + (job.attempt ? 3 : 0);
  if (RUNNING.includes(job.state)) return job.attempt * 4 + (job.state === "cancelling" ? 2 : 1);
  return ENDED;
}

/** By lane, what was moved to the front, then by age. */
function order(a, b) {
  const lane = (entry) => LANES.indexOf(entry.job.lane);
  const front = (entry) => entry.job.rank ?? 0;
  return lane(a) - lane(b) || front(a) - front(b) || a.job.created - b.job.created || a.serial - b.serial;
}

export class Store extends EventTarget {
  entries = new Map(); // id -> { id, job, preview, frames, touched }
  meta = { version: "", uptime: 0, workers: {}, pools: {}, frozenCount: 0, unseen: 0, at: 0 }; // workers: by kind of job
  skew = 0; // the server's clock minus ours

  now() {
    return Date.now() + this.skew;
  }

  uptime() {
    return this.meta.uptime + (performance.now() - this.meta.at);
  }

  #serial = 0; // as jobs come to be known: of the same moment, the server lists the earlier one first
  cached = new Set(); // jobs that answered a wish of this page from the cache

  /** A whole state, asked for at `asked` (performance.now()): what changed since then stays as it is. */
  takeState(state, asked) {
    const { version, uptime, workers, pools, frozenCount } = state;
    const unseen = Math.max(0, state.waitingCount - state.waiting.length);
    this.meta = { version, uptime, workers, pools, frozenCount, unseen, at: performance.now() };
    const listed = new Set();
    for (const job of [...state.running, ...state.waiting, ...state.recent]) {
      listed.add(job.id);
      this.take(job, state.progress?.[job.id] ?? {}, asked);
    }
    for (const [id, entry] of this.entries) if (!listed.has(id) && entry.touched <= asked) this.entries.delete(id);
    this.#bound();
    this.changed();
  }

  /** One job as somebody has just described it. `live`: preview, frames, and newer progress than the job's own. */
  take(job, live = {}, touched = performance.now()) {
    const known = this.entries.get(job.id);
    if (known && rank(job) < rank(known.job)) {
      if (known.job.state === "cancelling" && job.attempt === known.job.attempt) this.#advance(known, job, live);
      return;
    }
    const entry = known ?? { id: job.id, serial: (this.#serial += 1), preview: "", frames: [0, 0], touched };
    if (known && job.attempt !== known.job.attempt) Object.assign(entry, { preview: "", frames: [0, 0] });
    const percent = known && rank(known.job) === rank(job) ? known.job.percent : 0;
    entry.job = { ...job };
    entry.touched = Math.max(entry.touched, touched);
    this.#advance(entry, { ...job, percent: Math.max(percent, job.percent) }, live);
    this.entries.set(job.id, entry);
    if (rank(entry.job) === ENDED) Object.assign(entry, { preview: "" });
  }

  #advance(entry, job, live) {
    const percent = Math.max(job.percent, live.percent ?? 0);
    entry.job.percent = percent;
    entry.job.stage = live.stage || job.stage;
    entry.job.detail = live.detail ?? job.detail;
    if (live.preview) entry.preview = live.preview;
    if (live.frames?.[1]) entry.frames = live.frames;
  }

  takeEvent(event) {
    const skew = event.at - Date.now();
    if (Math.abs(skew - this.skew) > 1500) this.skew = Math.abs(skew) > 1500 ? skew : 0;
    if (event.job) this.#takeJob(event);
    this.changed();
  }

  /** Of a long queue only the front is known: what joins or leaves the rest is counted. */
  #takeJob({ type, job, preview, frames }) {
    const known = this.entries.get(job.id);
    if (!known && type === "job.queued" && this.meta.unseen > 0 && this.#behind(job)) {
      this.meta.unseen += 1;
      return;
    }
    if (!known && this.meta.unseen > 0 && type !== "job.queued") this.meta.unseen -= 1;
    this.take(job, { preview, frames });
    if (this.entries.size > 2 * QUEUE) this.#bound();
  }

  #behind(job) {
    const last = this.waiting.findLast((entry) => entry.job.kind === job.kind);
    return last !== undefined && order(last, { job, serial: Infinity }) < 0;
  }

  #bound() {
    for (const { id } of this.waiting.slice(QUEUE)) {
      this.entries.delete(id);
      this.meta.unseen += 1;
    }
    this.#forget();
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  get running() {
    return this.#pick(RUNNING).sort((a, b) => a.job.started - b.job.started || (a.id < b.id ? -1 : 1));
  }

  /** As they will be served. */
  get waiting() {
    return this.#pick(WAITING).sort(order);
  }

  get ended() {
    return this.#forget();
  }

  /** The newest ended ones; older ones are dropped. */
  #forget() {
    const all = [...this.entries.values()].filter((entry) => rank(entry.job) === ENDED);
    all.sort((a, b) => b.job.ended - a.job.ended || (a.id < b.id ? 1 : -1));
    for (const old of all.splice(RECENT)) this.entries.delete(old.id);
    return all;
  }

  /** The mean time of the last ten good jobs of a kind, as the server estimates with. */
  mean(kind) {
    return this.typical(kind) ?? DEFAULT_WAIT_MS;
  }

  /** The same, and null when none is known. */
  typical(kind) {
    const good = this.ended
      .filter(({ job }) => job.kind === kind && job.state === "complete" && job.started && job.ended)
      .slice(0, 10);
    return good.length ? good.reduce((sum, { job }) => sum + job.ended - job.started, 0) / good.length : null;
  }

  /** How long a running job still takes: what its rate says counts the more, the further it is. Null: who knows. */
  left({ job }) {
    const elapsed = Math.max(0, this.now() - job.started);
    const done = job.percent / 100;
    const byRate = done >= 0.1 ? (elapsed * (1 - done)) / done : null;
    const mean = this.typical(job.kind);
    const byMean = mean !== null && mean > elapsed ? mean - elapsed : null;
    if (byRate === null || byMean === null) return byRate ?? byMean;
    return done * byRate + (1 - done) * byMean;
  }

  /** Until a job at a position of its kind's own queue is through. */
  wait(kind, position, mean) {
    return mean * Math.ceil(position / Math.max(1, this.workers(kind)));
  }

  workers(kind) {
    return this.meta.workers[kind] ?? 1;
  }

  #pick(states) {
    return [...this.entries.values()].filter((entry) => states.includes(entry.job.state));
  }
}
