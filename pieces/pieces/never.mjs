// Plays well, never says that it is ready.

/** @typedef {import('../runtime/types.mjs').Api} Api */

export const signals = false;

/** @param {Api} api */
export function paint(api) {
  const { width, height } = api.screen;
  const unit = Math.hypot(width, height) / 2;
  const t = api.time / 1000;
  api.wipe('#f4e9dc');
  for (let i = 14; i >= 0; i--) {
    const out = (i + ((t * 1.4) % 2)) / 14;
    api.ink(i % 2 ? '#e4572e' : '#17404f');
    if (i % 2 === 0) api.ink('#17404f');
    const a = t * 0.8 + i * 0.2;
    api.circle(width / 2 + Math.cos(a) * unit * 0.08 * out,
      height / 2 + Math.sin(a) * unit * 0.08 * out, unit * out);
  }
  api.ink('#f3a712');
  api.circle(width / 2, height / 2, unit * 0.05 * (1 + 0.3 * Math.sin(t * 5)));
}
