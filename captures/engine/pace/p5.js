// In mode `virtual`, at rates that do not divide the screen's: let p5 count its frames by callbacks.
// p5 leaves out a callback that comes less than 1 / frameRate - 5 ms after the last one. Between frames of 40 ms there
// are 2 or 3 callbacks in turn, so p5 would draw 50 times a second, and sketches would run too slowly. Here p5 reads the
// moment of its last frame as if callbacks came evenly.
((hz) => {
  let number = 0, counting = false;
  const request = globalThis.requestAnimationFrame.bind(globalThis);
  const now = performance.now.bind(performance);
  const count = () => {
    number++;
    request(count);
  };
  const early = () => now() - (number * 1000) / hz; // how far the page's clock is from the even one
  /** @type {WeakMap<object, number>} */
  const last = new WeakMap();
  for (const name of ["_lastTargetFrameTime", "_lastFrameTime"]) {
    Object.defineProperty(Object.prototype, name, {
      configurable: true,
      enumerable: false,
      get() {
        return last.has(this) ? last.get(this) + early() : undefined;
      },
      set(value) {
        if (!("_targetFrameRate" in this)) {
          Object.defineProperty(this, name, { value, configurable: true, enumerable: true, writable: true });
          return;
        }
        if (!counting) request(count);
        counting = true;
        last.set(this, value - early());
      },
    });
  }
})(HZ);
