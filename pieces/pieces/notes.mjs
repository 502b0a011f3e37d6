// A page that writes itself, line by line, and starts again.

/** @typedef {import('../runtime/types.mjs').Api} Api */

const PAGE = [
  'notes for a small machine',
  '',
  'one   draw slowly enough that',
  '      someone can follow',
  'two   let a clock decide,',
  '      never the weather',
  'three leave a margin',
  'four  say what you mean,',
  '      then cross out half',
  'five  stop when it sings',
];
const TONES = ['#c0392b', '#1f4e79', '#1f4e79', '#1f4e79', '#7d5a1e', '#7d5a1e',
  '#2e6b4f', '#6a3d84', '#6a3d84', '#b03a5b'];
const PACE = 30; // letters a second
const BEGUN = 74; // letters there at the start
const LENGTH = PAGE.join('').length;

/** @param {Api} api */
export function paint(api) {
  const { width, height } = api.screen;
  const size = Math.min(width / 22, height / 16);
  api.wipe('#fbf5e4');
  rule(api, size);
  margin(api, size);
  let left = (BEGUN + (api.time / 1000) * PACE) % (LENGTH + PACE * 2);
  PAGE.forEach((text, row) => {
    const shown = text.slice(0, Math.max(0, Math.floor(left)));
    if (left > 0) inscribe(api, shown, row, size, left < text.length);
    left -= text.length;
  });
}

/** @type {(api: Api, size: number) => void} */
function rule(api, size) {
  api.thick(Math.max(1, size / 20));
  api.ink('#b9cfe4');
  for (let y = size * 2.9; y < api.screen.height; y += size * 1.4) {
    api.line(0, y, api.screen.width, y);
  }
  api.ink('#e9a3a3');
  api.line(size * 2.6, 0, size * 2.6, api.screen.height);
}

/** Quavers that climb the margin. @type {(api: Api, size: number) => void} */
function margin(api, size) {
  const tall = api.screen.height + size * 2;
  for (let i = 0; i < 6; i++) {
    const y = tall - (((api.time / 9) * (size / 24) + (i * tall) / 6) % tall) - size;
    const x = size * (1.1 + 0.35 * Math.sin(api.time / 300 + i * 2));
    api.ink(TONES[(i * 2) % TONES.length]);
    api.circle(x, y, size * 0.26);
    api.box(x + size * 0.18, y - size, size * 0.08, size);
    api.box(x + size * 0.18, y - size, size * 0.4, size * 0.12);
  }
}

/** @type {(api: Api, text: string, row: number, size: number, wet: boolean) => void} */
function inscribe(api, text, row, size, wet) {
  const x = size * 3.2;
  const y = size * (1.85 + row * 1.4);
  api.ink(TONES[row]);
  api.write(text, x, y, size * 0.95);
  if (!wet) return;
  const nib = x + text.length * size * 0.572;
  api.poly([[nib, y + size], [nib + size * 0.5, y - size * 0.5], [nib + size * 0.75, y - size * 0.3]]);
}
