// An evening sea, drawn in SVG paths; the sun and its light move by SMIL.

/** @typedef {import('../runtime/types.mjs').Api} Api */

export const surface = 'dom';

const SEA = ['#e8688a', '#c2477f', '#8d3a7c', '#5c3272', '#37275e', '#1e1b45'];

const MARKUP = `
<svg viewBox="0 0 512 512" preserveAspectRatio="xMidYMid slice" width="100%" height="100%">
  <defs><linearGradient id="sky" x2="0" y2="1">
    <stop stop-color="#3d2c6d"/><stop offset=".45" stop-color="#d9547c"/>
    <stop offset=".75" stop-color="#ffb36b"/></linearGradient></defs>
  <rect width="512" height="512" fill="url(#sky)"/>
  <circle cx="256" cy="240" r="118" fill="#ffd98a" opacity=".35">
    <animate attributeName="r" values="104;128;104" dur="2s" repeatCount="indefinite"/></circle>
  <circle cx="256" cy="240" r="84" fill="#ffe9b0">
    <animate attributeName="cy" values="236;246;236" dur="4s" repeatCount="indefinite"/></circle>
  ${SEA.map((tone) => `<path fill="${tone}" fill-opacity=".93"/>`).join('')}
  <g id="boat" fill="#fff3dc"><path d="M-22 0h44l-9 12h-26z" fill="#2a1436"/>
    <path d="M2-4v-44l24 44z"/><path d="M-2-4v-32l-17 32z" fill="#ffcf9f"/></g>
</svg>`;

/** @type {SVGPathElement[]} */
let paths = [];
/** @type {SVGElement} */
let boat;

/** @param {Api} api */
export function boot({ stage }) {
  stage.innerHTML = MARKUP;
  paths = [...stage.querySelectorAll('svg > path')].map((p) => /** @type {SVGPathElement} */ (p));
  boat = /** @type {SVGElement} */ (stage.querySelector('#boat'));
}

/** @param {Api} api */
export function paint({ time }) {
  paths.forEach((path, i) => path.setAttribute('d', shape(i, time / 1000)));
  const x = 256 + Math.sin(time / 2900) * 130;
  const lean = (swell(2, x + 10, time / 1000) - swell(2, x - 10, time / 1000)) * 2.2;
  boat.setAttribute('transform',
    `translate(${x.toFixed(2)} ${(swell(2, x, time / 1000) - 6).toFixed(2)}) rotate(${lean.toFixed(2)})`);
}

/** The height of a layer at x. @type {(layer: number, x: number, t: number) => number} */
function swell(layer, x, t) {
  const way = layer % 2 ? 1 : -1;
  return 272 + layer * 40
    + Math.sin(x / (46 + layer * 9) + t * (1.1 + layer * 0.22) * way + layer) * (7 + layer * 2.2)
    + Math.sin(x / 21 + t * 1.9 * way) * 2.4;
}

/** @type {(layer: number, t: number) => string} */
function shape(layer, t) {
  let d = 'M0 512';
  for (let x = 0; x <= 512; x += 8) d += `L${x} ${swell(layer, x, t).toFixed(2)}`;
  return `${d}L512 512Z`;
}
