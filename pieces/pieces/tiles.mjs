// Quarter turns in terracotta and teal: DOM and CSS animations, no canvas.

/** @typedef {import('../runtime/types.mjs').Api} Api */

export const surface = 'dom';

const SIDE = 6;
const TONES = ['#c8553d', '#28666e', '#f2b134', '#7c9885', '#e07a5f'];

const STYLE = `
.tiles { position: absolute; inset: 0; display: grid; background: #f6ecd9;
  grid-template: repeat(${SIDE}, 1fr) / repeat(${SIDE}, 1fr); gap: 1.2%; padding: 1.2%; }
.tiles i { position: relative; overflow: hidden; background: #fffaf0; border-radius: 6%;
  animation: quarter 4s cubic-bezier(.7, 0, .2, 1) infinite; animation-delay: var(--wait); }
.tiles i::before, .tiles i::after { content: ''; position: absolute; width: 100%; height: 100%;
  border-radius: 50%; background: var(--tone); }
.tiles i::before { left: -50%; top: -50%; }
.tiles i::after { right: -50%; bottom: -50%; background: var(--other);
  animation: breathe 1.6s ease-in-out infinite alternate; animation-delay: var(--wait); }
@keyframes quarter { 0% { rotate: 0deg } 25% { rotate: 90deg } 50% { rotate: 180deg }
  75% { rotate: 270deg } 100% { rotate: 360deg } }
@keyframes breathe { from { scale: .55 } to { scale: 1.05 } }`;

/** @param {Api} api */
export function boot({ stage, random }) {
  const style = document.createElement('style');
  style.textContent = STYLE;
  const grid = document.createElement('div');
  grid.className = 'tiles';
  for (let i = 0; i < SIDE * SIDE; i++) grid.append(tile(i, random));
  stage.append(style, grid);
}

/** @type {(i: number, random: () => number) => HTMLElement} */
function tile(i, random) {
  const element = document.createElement('i');
  const wave = (i % SIDE) + Math.floor(i / SIDE);
  const first = Math.floor(random() * TONES.length);
  const second = (first + 1 + Math.floor(random() * (TONES.length - 1))) % TONES.length;
  element.style.setProperty('--wait', `${-wave * 180}ms`);
  element.style.setProperty('--tone', TONES[first]);
  element.style.setProperty('--other', TONES[second]);
  return element;
}
