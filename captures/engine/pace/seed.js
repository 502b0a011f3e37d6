// With a seed: Math.random and crypto give the same numbers in every run. The number below stands for the seed.
((seed) => {
  let [a, b, c, counter] = [seed >>> 0, 0x9e3779b9, Math.floor(seed / 2 ** 32) >>> 0, 1];
  const word = () => {
    // sfc32: small, fast, counting
    const sum = (a + b + counter++) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum | 0;
    return sum >>> 0;
  };
  for (let mixed = 0; mixed < 12; mixed++) word();
  Math.random = () => ((word() >>> 5) * 2 ** 26 + (word() >>> 6)) / 2 ** 53;
  const { Crypto } = globalThis;
  if (!Crypto) return;
  Crypto.prototype.getRandomValues = function getRandomValues(array) {
    if (array.byteLength > 65536) throw new DOMException("The length is more than 65536 bytes.", "QuotaExceededError");
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    for (let at = 0; at < bytes.length; at++) bytes[at] = word() >>> 24;
    return array;
  };
  Crypto.prototype.randomUUID = function randomUUID() {
    const bytes = this.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  };
})(SEED);
