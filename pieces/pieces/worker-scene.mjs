// The worker behind `worker`: draws on the canvas that it is sent.

import { drawing } from '/runtime/draw.mjs';

const SEEDS = 620;
const GOLDEN = Math.PI * (3 - Math.sqrt(5));

/** @type {OffscreenCanvas} */
let canvas;
/** @type {ReturnType<typeof drawing>} */
let pen;
let phase = 0;
/** @type {number | undefined} */
let start;

onmessage = ({ data }) => {
  if (data.canvas) begin(data);
  canvas.width = data.width;
  canvas.height = data.height;
};

/** @param {{canvas: OffscreenCanvas, phase: number}} data */
function begin(data) {
  ({ canvas, phase } = data);
  pen = drawing(/** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d')));
  requestAnimationFrame(onFrame);
}

/** @param {number} now */
function onFrame(now) {
  const first = start === undefined;
  start ??= now;
  paint((now - start) / 1000);
  if (first) postMessage('painted');
  requestAnimationFrame(onFrame);
}

/** @param {number} t seconds */
function paint(t) {
  const { width, height } = canvas;
  const unit = Math.min(width, height) / 2;
  pen.wipe(16, 40, 34);
  for (let i = SEEDS; i > 0; i--) {
    const out = Math.sqrt(i / SEEDS);
    const a = i * GOLDEN + t * 0.5 + phase;
    const swell = 0.5 + 0.5 * Math.sin(out * 14 - t * 4);
    const r = out * unit * (0.9 + 0.06 * swell);
    pen.ink(`hsl(${18 + out * 42 + 14 * swell} ${92 - 20 * out}% ${38 + 26 * swell}%)`);
    pen.circle(width / 2 + Math.cos(a) * r, height / 2 + Math.sin(a) * r,
      unit * (0.011 + 0.019 * out) * (0.7 + 0.6 * swell));
  }
}
