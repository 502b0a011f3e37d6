// In mode `virtual`: audio contexts run without a gesture, and their time is the page's. What they play is not rendered:
// analysers measure silence. A page that reads them is reported.
(() => {
  const Base = globalThis.BaseAudioContext;
  const Live = globalThis.AudioContext;
  if (!Base || !Live) return;
  const Offline = globalThis.OfflineAudioContext;
  const now = performance.now.bind(performance);
  const getter = (name) => Object.getOwnPropertyDescriptor(Base.prototype, name).get;
  const realTime = getter("currentTime"), realState = getter("state");

  /** @type {WeakMap<BaseAudioContext, { passed: number, since: number | null }>} */
  const clocks = new WeakMap();
  const clockOf = (context) => {
    if (!clocks.has(context)) clocks.set(context, { passed: 0, since: now() });
    return clocks.get(context);
  };
  const stop = (clock) => {
    if (clock.since !== null) clock.passed += now() - clock.since;
    clock.since = null;
  };
  const go = (clock) => {
    clock.since ??= now();
  };

  const define = (name, get) =>
    Object.defineProperty(Base.prototype, name, { configurable: true, enumerable: true, get });
  define("currentTime", function () {
    if (this instanceof Offline) return realTime.call(this);
    const { passed, since } = clockOf(this);
    const ms = passed + (since === null ? 0 : now() - since);
    return ms / 1000;
  });
  define("state", function () {
    const state = realState.call(this);
    if (this instanceof Offline || state === "closed") return state;
    return clockOf(this).since === null ? "suspended" : "running";
  });

  for (const [name, change] of [["suspend", stop], ["resume", go], ["close", stop]]) {
    const real = Live.prototype[name];
    Live.prototype[name] = function (...args) {
      change(clockOf(this));
      const done = real.apply(this, args);
      return name === "resume" ? Promise.resolve() : done; // without a gesture the real one is never done
    };
  }
  const silence = {
    getByteFrequencyData: 0,
    getFloatFrequencyData: -Infinity,
    getByteTimeDomainData: 128,
    getFloatTimeDomainData: 0,
  };
  for (const [name, value] of Object.entries(silence)) {
    const real = AnalyserNode.prototype[name];
    AnalyserNode.prototype[name] = function (array) {
      if (this.context instanceof Offline) return real.call(this, array);
      real.call(this, array); // checks its argument
      array.fill(value);
      report?.("silence");
    };
  }
  globalThis.AudioContext = new Proxy(Live, {
    construct(target, args, newTarget) {
      const made = Reflect.construct(target, args, newTarget);
      clockOf(made);
      return made;
    },
  });
})();
