// Hills at night. Nothing moves: each frame is the same picture.

import { noise, seeded } from '../runtime/random.mjs';

/** @typedef {import('../runtime/types.mjs').Api} Api */

const RANGES = ['#40507f', '#33426f', '#28345d', '#1d274a', '#131b36', '#0a1024'];

let painted = '';

/** @param {Api} api */
export function paint(api) {
  const size = `${api.screen.width} ${api.screen.height}`;
  if (size === painted) return;
  painted = size;
  sky(api);
  moon(api);
  RANGES.forEach((tone, i) => range(api, tone, i));
  windows(api);
}

/** @param {Api} api */
function sky(api) {
  const { width, height } = api.screen;
  const gradient = api.context.createLinearGradient(0, 0, 0, height);
  gradient.addColorStop(0, '#0b1030');
  gradient.addColorStop(0.45, '#35397a');
  gradient.addColorStop(0.75, '#c9718c');
  api.context.fillStyle = gradient;
  api.box(0, 0, width, height);
  const random = seeded(7);
  for (let i = 0; i < 320; i++) {
    const y = random() ** 2 * 0.6;
    api.ink(255, 245, 225, 50 + 200 * random() * (1 - y));
    api.circle(random() * width, y * height, (0.35 + random()) * Math.max(0.6, width / 620));
  }
}

/** @param {Api} api */
function moon(api) {
  const { width, height } = api.screen;
  const r = Math.min(width, height) * 0.09;
  for (let ring = 6; ring >= 0; ring--) {
    api.ink(255, 240, 205, ring ? 16 : 255);
    api.circle(width * 0.7, height * 0.24, r * (1 + ring * 0.22));
  }
  api.ink(232, 214, 178, 160);
  for (const [x, y, s] of [[-0.3, -0.2, 0.24], [0.25, 0.3, 0.3], [0.3, -0.35, 0.14]]) {
    api.circle(width * 0.7 + x * r, height * 0.24 + y * r, s * r);
  }
}

/** The top of a range at x, both 0-1. @type {(i: number, x: number) => number} */
function top(i, x) {
  const rough = noise(x * (3 + i), i) * 0.09 + noise(x * 11, i + 9) * 0.025;
  return 0.48 + i * 0.085 - rough - noise(x * 60, i + 20) * 0.004 * i;
}

/** @type {(api: Api, tone: string, i: number) => void} */
function range(api, tone, i) {
  const { width, height } = api.screen;
  const points = [[0, height]];
  for (let x = 0; x <= 1.0001; x += 1 / 160) points.push([x * width, top(i, x) * height]);
  api.ink(tone);
  api.poly([...points, [width, height]]);
}

/** A village in the nearest valley. @param {Api} api */
function windows(api) {
  const { width, height } = api.screen;
  const random = seeded(21);
  const s = Math.max(1, width / 220);
  for (let i = 0; i < 46; i++) {
    const x = 0.18 + random() * 0.3;
    const y = top(5, x) + 0.02 + random() * 0.09;
    api.ink(255, 190 + random() * 50, 90, 130 + random() * 125);
    api.box(x * width, y * height, s, s * (1 + random()));
  }
}
