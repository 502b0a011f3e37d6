// Repeatable chance: the same name gives the same numbers on every visit.

/**
 * A 32-bit hash of a text (FNV-1a).
 * @param {string} text
 */
export function hash(text) {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  }
  return value >>> 0;
}

/**
 * Mix the bits of an integer, for unrelated numbers from neighbours.
 * @param {number} value
 */
export function scramble(value) {
  let v = Math.imul(value ^ (value >>> 16), 0x21f0aaad);
  v = Math.imul(v ^ (v >>> 15), 0x735a2d97);
  return (v ^ (v >>> 15)) >>> 0;
}

/**
 * A generator of numbers in [0, 1).
 * @param {number} seed
 */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    return scramble(state) / 0x100000000;
  };
}

/**
 * Smooth noise in [-1, 1] along x; each lane is a curve of its own.
 * @param {number} x
 * @param {number} lane
 */
export function noise(x, lane = 0) {
  const cell = Math.floor(x);
  const at = (/** @type {number} */ i) => scramble(i + lane * 7919) / 0x7fffffff - 1;
  const t = x - cell;
  const eased = t * t * (3 - 2 * t);
  return at(cell) + (at(cell + 1) - at(cell)) * eased;
}
