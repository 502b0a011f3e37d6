// A clock that can be held and moved by hand. Installed before any script of the page.
// Live: follows real time. Held: requestAnimationFrame, timers, Date, performance.now, CSS and SMIL animations move
// only through advance(). Workers and media are out of its reach.
(() => {
  if (window.__ovenClock) return;
  const RealDate = Date;
  const real = {
    now: performance.now.bind(performance),
    raf: window.requestAnimationFrame.bind(window),
    setTimeout: window.setTimeout.bind(window),
    clearTimeout: window.clearTimeout.bind(window),
  };
  const epoch = RealDate.now() - real.now();
  // A page that spins on a clock that stands still would never end: after this many reads in one tick, each
  // further read moves the clock a little.
  const PATIENCE = 20000;
  const NUDGE_MS = 0.001;
  const MAX_TIMERS_A_TICK = 2000;

  let held = false;
  let moment = 0;
  let reads = 0;
  let nextId = 1;
  const frames = new Map();
  const timers = new Map();
  const animations = new Map();

  const now = () => {
    if (!held) return real.now();
    reads += 1;
    return reads > PATIENCE ? moment + (reads - PATIENCE) * NUDGE_MS : moment;
  };

  const call = (fn, args) => {
    try {
      if (typeof fn === "function") fn.apply(window, args);
      else (0, eval)(String(fn));
    } catch (error) {
      real.setTimeout(() => { throw error; }, 0); // reported as the page's own error
    }
  };

  performance.now = now;
  function OvenDate(...args) {
    if (!new.target) return new RealDate(epoch + now()).toString();
    return Reflect.construct(RealDate, args.length ? args : [Math.floor(epoch + now())], new.target);
  }
  OvenDate.prototype = RealDate.prototype;
  OvenDate.prototype.constructor = OvenDate;
  Object.setPrototypeOf(OvenDate, RealDate);
  OvenDate.now = () => Math.floor(epoch + now());
  window.Date = OvenDate;

  const runFrames = () => {
    const due = [...frames.keys()];
    for (const id of due) {
      const fn = frames.get(id);
      if (frames.delete(id)) call(fn, [moment]);
    }
  };
  let pumping = false;
  const pump = () => {
    if (pumping || held) return;
    pumping = true;
    real.raf(() => {
      pumping = false;
      if (held) return;
      moment = real.now();
      runFrames();
    });
  };
  window.requestAnimationFrame = (fn) => {
    const id = nextId++;
    frames.set(id, fn);
    pump();
    return id;
  };
  window.cancelAnimationFrame = (id) => { frames.delete(id); };

  const fire = (id, timer) => {
    if (!timers.has(id)) return;
    if (timer.every === null) {
      timers.delete(id);
    } else {
      timer.due = Math.max(timer.due + timer.every, held ? 0 : real.now());
      arm(id, timer);
    }
    call(timer.fn, timer.args);
  };
  const arm = (id, timer) => {
    if (!held) timer.handle = real.setTimeout(() => fire(id, timer), Math.max(0, timer.due - real.now()));
  };
  const schedule = (repeats) => (fn, delay, ...args) => {
    const id = nextId++;
    const wait = Math.max(Number(delay) || 0, repeats ? 4 : 0);
    const timer = { fn, args, due: (held ? moment : real.now()) + wait, every: repeats ? wait : null, handle: 0 };
    timers.set(id, timer);
    arm(id, timer);
    return id;
  };
  const cancel = (id) => {
    const timer = timers.get(id);
    if (timer) real.clearTimeout(timer.handle);
    timers.delete(id);
  };
  window.setTimeout = schedule(false);
  window.setInterval = schedule(true);
  window.clearTimeout = cancel;
  window.clearInterval = cancel;

  const follow = (animation) => {
    if (animation.playState !== "running") return;
    const state = { from: moment, at: Number(animation.currentTime) || 0, rate: animation.playbackRate };
    try { animation.pause(); } catch { return; }
    animations.set(animation, state);
  };
  const seek = () => {
    for (const animation of document.getAnimations()) {
      if (!animations.has(animation)) follow(animation);
      const state = animations.get(animation);
      if (state) animation.currentTime = state.at + (moment - state.from) * state.rate;
    }
    for (const svg of document.querySelectorAll("svg")) {
      if (svg.ownerSVGElement || !svg.setCurrentTime) continue;
      if (!animations.has(svg)) {
        svg.pauseAnimations();
        animations.set(svg, { from: moment, at: svg.getCurrentTime() });
      }
      const state = animations.get(svg);
      svg.setCurrentTime(state.at + (moment - state.from) / 1000);
    }
  };

  const nextTimer = (until) => {
    let found = null;
    for (const [id, timer] of timers) {
      if (timer.due <= until && (!found || timer.due < found[1].due)) found = [id, timer];
    }
    return found;
  };
  const tick = async (until) => {
    for (let count = 0; count < MAX_TIMERS_A_TICK; count += 1) {
      const next = nextTimer(until);
      if (!next) break;
      moment = Math.max(moment, next[1].due);
      reads = 0;
      fire(...next);
      await null;
    }
    moment = until;
    reads = 0;
    runFrames();
    await null;
  };

  window.__ovenClock = {
    hold() {
      moment = real.now();
      held = true;
      for (const timer of timers.values()) real.clearTimeout(timer.handle);
      seek();
      return moment;
    },
    // Moves the clock by `ms` in ticks of about `every` ms, as a screen would.
    async advance(ms, every) {
      const start = moment;
      const ticks = Math.max(1, Math.round(ms / every));
      for (let index = 1; index <= ticks; index += 1) await tick(start + (ms * index) / ticks);
      seek();
      return moment;
    },
  };
})();
