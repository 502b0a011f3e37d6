// 2D canvases in Display P3 come out of Chromium's software compositor with their numbers unconverted. As sRGB canvases
// they show what is in them: CSS colours and image data are converted when they are drawn.
(() => {
  for (const owner of [globalThis.HTMLCanvasElement, globalThis.OffscreenCanvas]) {
    const real = owner?.prototype.getContext;
    if (!real) continue;
    owner.prototype.getContext = {
      getContext(type, options, ...more) {
        const wide = type === "2d" && options?.colorSpace && options.colorSpace !== "srgb";
        return real.call(this, type, wide ? { ...options, colorSpace: "srgb" } : options, ...more);
      },
    }.getContext;
  }
})();
