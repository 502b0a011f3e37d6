// Three clear discs on no page at all: everything else is transparent.

/** @typedef {import('../runtime/types.mjs').Api} Api */

const TONES = [[255, 62, 108], [40, 214, 190], [92, 110, 255]];

/** @param {Api} api */
export function paint(api) {
  const { width, height } = api.screen;
  const unit = Math.min(width, height);
  api.context.clearRect(0, 0, width, height);
  TONES.forEach((tone, i) => {
    const a = (i * Math.PI * 2) / TONES.length + api.time / 700;
    const far = unit * (0.15 + 0.04 * Math.sin(api.time / 410));
    disc(api, tone, width / 2 + Math.cos(a) * far, height / 2 + Math.sin(a) * far, unit * 0.24);
  });
}

/** @type {(api: Api, tone: number[], x: number, y: number, r: number) => void} */
function disc(api, tone, x, y, r) {
  api.ink(...tone, 120);
  api.circle(x, y, r);
  api.thick(r / 26);
  api.ink(...tone, 230);
  api.circle(x, y, r, true);
  api.ink(255, 255, 255, 110);
  api.circle(x - r * 0.36, y - r * 0.42, r * 0.17);
}
