// In mode `virtual`: report when the page waits for an answer of another thread (a store, a decoder), and when it has
// all of them. Time stands meanwhile, so that they come at the same moment in every run.
// Also report that a page has asked for WebGPU and got none.
(() => {
  if (!report) return;
  const then = Promise.prototype.then;
  const listen = EventTarget.prototype.addEventListener;
  let pending = 0;
  const begin = () => {
    if (pending++ === 0) report("busy");
  };
  const end = () => {
    if (--pending === 0) report("idle");
  };
  const once = () => {
    let done = false;
    return () => {
      if (!done) end();
      done = true;
    };
  };
  const replace = (owner, name, wait) => {
    const real = owner?.[name];
    if (typeof real !== "function") return;
    owner[name] = {
      [name](...args) {
        return wait(real, this ?? globalThis, args);
      },
    }[name];
  };
  const promised = (real, self, args) => {
    begin();
    let answer;
    try {
      answer = real.apply(self, args);
    } catch (error) {
      end();
      throw error;
    }
    then.call(answer, end, end);
    return answer;
  };
  const calledBack = (real, self, [callback, ...args]) => {
    if (typeof callback !== "function") return real.call(self, callback, ...args);
    const finish = once();
    begin();
    try {
      return real.call(
        self,
        (blob) => {
          finish();
          callback(blob);
        },
        ...args,
      );
    } catch (error) {
      finish();
      throw error;
    }
  };
  const requested = (real, self, args) => {
    const request = real.apply(self, args);
    const finish = once();
    begin();
    for (const event of ["success", "error", "blocked", "upgradeneeded"]) listen.call(request, event, finish);
    return request;
  };
  const operations = "add put get getKey getAll getAllKeys delete clear count openCursor openKeyCursor";
  for (const owner of [globalThis.IDBObjectStore?.prototype, globalThis.IDBIndex?.prototype])
    for (const name of operations.split(" ")) replace(owner, name, requested);
  for (const name of ["open", "deleteDatabase"]) replace(globalThis.IDBFactory?.prototype, name, requested);
  replace(globalThis.HTMLCanvasElement?.prototype, "toBlob", calledBack);
  replace(globalThis.OffscreenCanvas?.prototype, "convertToBlob", promised);
  replace(globalThis.HTMLImageElement?.prototype, "decode", promised);
  replace(globalThis, "createImageBitmap", promised);
  for (const name of ["digest", "encrypt", "decrypt", "sign", "verify", "deriveBits", "generateKey"])
    replace(globalThis.SubtleCrypto?.prototype, name, promised);
  for (const name of ["open", "match", "has"]) replace(globalThis.CacheStorage?.prototype, name, promised);
  for (const name of ["match", "matchAll", "put", "keys"]) replace(globalThis.Cache?.prototype, name, promised);
  replace(globalThis.Blob?.prototype, "arrayBuffer", promised);
  replace(globalThis.Blob?.prototype, "text", promised);
  replace(globalThis.GPU?.prototype, "requestAdapter", (real, self, args) => {
    const answer = real.apply(self, args);
    then.call(answer, (adapter) => adapter || report("no webgpu"), () => {});
    return answer;
  });
})();
