// Black, corner to corner.

/** @param {import('../runtime/types.mjs').Api} api */
export function paint({ wipe }) {
  wipe(0, 0, 0);
}
