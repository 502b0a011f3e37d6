// The vocabulary of KidLisp for one frame.

import { noise, scramble, seeded } from './random.mjs';

/**
 * What a program draws on, and when.
 * @typedef {object} Host
 * @property {{width: number, height: number}} screen
 * @property {number} time milliseconds
 * @property {number} frame
 * @property {(...colour: any[]) => any} wipe
 * @property {(...colour: any[]) => any} ink
 * @property {(width: number) => void} thick
 * @property {(...numbers: any[]) => void} line
 * @property {(...numbers: any[]) => void} box
 * @property {(...numbers: any[]) => void} circle
 * @property {(points: number[][], outline?: boolean) => void} poly
 * @property {(x: number, y: number) => void} plot
 * @property {(text: string, x: number, y: number, size?: number) => void} write
 */

/** @type {Map<string, boolean>} */
const known = new Map();

/**
 * Whether a word is a colour, such as `navy` or `#f80`.
 * @param {string} word
 */
export function isColour(word) {
  const found = known.get(word) ?? CSS.supports('color', word);
  known.set(word, found);
  return found;
}

/** @type {(test: (a: number, b: number) => boolean) => (a: number, b: number) => number} */
const compare = (test) => (a, b) => (test(a, b) ? 1 : 0);

const ARITHMETIC = {
  '+': (/** @type {number[]} */ ...n) => n.reduce((a, b) => a + b, 0),
  '*': (/** @type {number[]} */ ...n) => n.reduce((a, b) => a * b, 1),
  '-': (/** @type {number} */ a, /** @type {number[]} */ ...n) =>
    n.length ? n.reduce((x, y) => x - y, a) : -a,
  '/': (/** @type {number} */ a, /** @type {number[]} */ ...n) =>
    n.reduce((x, y) => (y === 0 ? 0 : x / y), a),
  '%': (/** @type {number} */ a, /** @type {number} */ b) => (b === 0 ? 0 : ((a % b) + b) % b),
  '=': compare((a, b) => a === b),
  '<': compare((a, b) => a < b),
  '>': compare((a, b) => a > b),
  not: (/** @type {any} */ a) => (a ? 0 : 1),
  sin: Math.sin,
  cos: Math.cos,
  abs: Math.abs,
  floor: Math.floor,
  sqrt: Math.sqrt,
  pow: Math.pow,
  min: Math.min,
  max: Math.max,
  pi: Math.PI,
};

/** @type {(h: number, s?: number, l?: number) => string} */
const hsl = (h, s = 80, l = 60) => `hsl(${h} ${s}% ${l}%)`;

/**
 * The drawing words, outline asked for with a last argument that is not 0.
 * @param {Host} host
 */
function drawn(host) {
  const small = Math.max(10, Math.min(host.screen.width, host.screen.height) / 24);
  return {
    wipe: host.wipe,
    ink: host.ink,
    thick: host.thick,
    line: host.line,
    box: (/** @type {any[]} */ ...n) => host.box(n[0], n[1], n[2], n[3] ?? n[2], !!n[4]),
    circle: (/** @type {any[]} */ ...n) => host.circle(n[0], n[1], n[2], !!n[3]),
    tri: (/** @type {number[]} */ ...n) =>
      host.poly([[n[0], n[1]], [n[2], n[3]], [n[4], n[5]]], !!n[6]),
    plot: host.plot,
    write: (/** @type {any} */ text, x = 0, y = 0, size = small) =>
      host.write(String(text), x, y, size),
  };
}

/**
 * Chance that depends on the frame alone, not on how often it was drawn.
 * @param {Host} host
 */
function chance(host) {
  const random = seeded(scramble(host.frame + 1));
  let lane = 0;
  return {
    random: (n = 1) => random() * n,
    wiggle: (n = 1, speed = 1) => n * noise((host.time / 1000) * speed * 2, ++lane),
    choose: (/** @type {any[]} */ ...values) => values[Math.floor(random() * values.length)],
  };
}

/**
 * Every word known in one frame, by name.
 * @param {Host} host
 * @returns {Record<string, any>}
 */
export function words(host) {
  const { width, height } = host.screen;
  return {
    ...ARITHMETIC,
    ...drawn(host),
    ...chance(host),
    hsl,
    rainbow: hsl(host.time / 12, 90, 62),
    w: width,
    h: height,
    width,
    height,
    frame: host.frame,
    time: host.time / 1000,
  };
}
