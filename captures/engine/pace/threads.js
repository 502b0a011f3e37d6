// In mode `virtual`: report the first use of something that is answered by another thread, once for each document.
// Time then stands until such answers have come, so that they come at the same moment in every run.
(() => {
  const report = globalThis.ovenUsesThreads;
  if (!report) return;
  delete globalThis.ovenUsesThreads;
  let reported = false;
  const watch = (owner, name) => {
    const real = owner?.[name];
    if (typeof real !== "function") return;
    owner[name] = {
      [name](...args) {
        if (!reported) report("");
        reported = true;
        return real.apply(this ?? globalThis, args);
      },
    }[name];
  };
  watch(globalThis.IDBFactory?.prototype, "open");
  watch(globalThis.HTMLCanvasElement?.prototype, "toBlob");
  watch(globalThis.OffscreenCanvas?.prototype, "convertToBlob");
  watch(globalThis.HTMLImageElement?.prototype, "decode");
  watch(globalThis.SubtleCrypto?.prototype, "digest");
  watch(globalThis.CacheStorage?.prototype, "open");
  watch(globalThis, "createImageBitmap");
})();
