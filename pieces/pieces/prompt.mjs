// A title that hums, and a cursor that waits.

/** @typedef {import('../runtime/types.mjs').Api} Api */

const TITLE = 'oven pieces';
const LINES = ['type a name', 'orbit  prism  tiles', '$bloom  $roz  $tide'];

let typed = '';

/** @type {(api: Api, event: import('../runtime/types.mjs').Act) => void} */
export function act(_, { type, key }) {
  if (type !== 'key') return;
  if (key === 'Backspace') typed = typed.slice(0, -1);
  else if (key === 'Enter' && typed && !/** @type {any} */ (window).acPACK_MODE) location.href = `/${encodeURIComponent(typed)}`;
  else if (key.length === 1 && typed.length < 16) typed += key;
}

/** @param {Api} api */
export function paint(api) {
  const { width, height } = api.screen;
  const size = Math.min(width / 9, height / 5);
  api.wipe(34, 16, 58);
  grid(api, size);
  title(api, size);
  cursor(api, size);
}

/**
 * A field of dots that a slow ring of light runs through.
 * @param {Api} api
 * @param {number} size
 */
function grid(api, size) {
  const { width, height } = api.screen;
  const gap = size / 2.2;
  for (let y = gap / 2; y < height; y += gap) {
    for (let x = gap / 2; x < width; x += gap) {
      const far = Math.hypot(x - width / 2, y - height / 2) / size;
      const lit = Math.max(0, Math.sin(far * 1.1 - api.time / 420));
      api.ink(150, 90 + 70 * lit, 220, 40 + 130 * lit);
      api.circle(x, y, size / 26 + (size / 17) * lit);
    }
  }
}

/**
 * @param {Api} api
 * @param {number} size
 */
function title(api, size) {
  const { width, height } = api.screen;
  const advance = size * 0.63;
  const left = (width - advance * TITLE.length) / 2;
  for (let i = 0; i < TITLE.length; i++) {
    const y = height * 0.28 + Math.sin(api.time / 260 - i * 0.55) * size * 0.16;
    const x = left + i * advance;
    api.ink(12, 4, 26, 200);
    api.write(TITLE[i], x + size * 0.05, y + size * 0.07, size);
    api.ink(`hsl(${(300 + i * 14 + api.time / 14) % 360} 92% 72%)`);
    api.write(TITLE[i], x, y, size);
  }
}

/**
 * The typed words, or a hint that changes, and a cursor that blinks.
 * @param {Api} api
 * @param {number} size
 */
function cursor(api, size) {
  const { width, height } = api.screen;
  const small = size * 0.5;
  const hint = LINES[Math.floor(api.time / 2400) % LINES.length];
  const left = width * 0.5 - small * 0.6 * 10;
  const top = height * 0.62;
  api.ink(12, 4, 26, 220);
  api.box(left - small * 0.7, top - small * 0.5, small * 13.4, small * 2);
  api.ink(255, 214, 120);
  api.write('>', left - small * 0.2, top, small);
  api.ink(typed ? [255, 240, 220] : [168, 140, 206]);
  api.write(typed || hint, left + small * 1.1, top, small * (typed.length > 12 ? 0.7 : 0.9));
  if (typed || Math.floor(api.time / 350) % 2) return;
  api.ink(255, 120, 170);
  api.box(left + small * 0.5, top - small * 0.05, small * 0.35, small * 1.05);
}
