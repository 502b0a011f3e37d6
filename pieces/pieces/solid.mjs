// One colour, adrift by a shade or two: frames differ, but have no detail.

/** @typedef {import('../runtime/types.mjs').Api} Api */

/** @param {Api} api */
export function paint({ wipe, time }) {
  const t = time / 1000;
  wipe(
    Math.round(92 + 3 * Math.sin(t * 4)),
    Math.round(120 + 2 * Math.sin(t * 5 + 1)),
    Math.round(158 + 3 * Math.cos(t * 3)),
  );
}
