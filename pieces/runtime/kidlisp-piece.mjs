// The piece behind every `$code`: runs its KidLisp source on each frame.

import { KidLispError, parse, run } from './kidlisp.mjs';

/** @typedef {import('./types.mjs').Api} Api */

/** @type {import('./kidlisp.mjs').Node[]} */
let program = [];
let mistake = '';
const told = new Set();

/** @param {Api} api */
export function boot({ source }) {
  try {
    program = parse(source);
  } catch (error) {
    if (!(error instanceof KidLispError)) throw error;
    mistake = error.message;
  }
}

/** @param {Api} api */
export function paint(api) {
  const { width, height } = api.screen;
  api.thick(Math.max(1, Math.min(width, height) / 200));
  api.ink('white');
  const errors = mistake ? [mistake] : run(program, api).errors;
  errors.forEach((message, row) => show(api, message, row));
}

/**
 * Write a mistake small and red, and report it once.
 * @param {Api} api
 * @param {string} message
 * @param {number} row
 */
function show(api, message, row) {
  const size = Math.max(9, Math.round(api.screen.height / 36));
  const y = 4 + row * (size + 4);
  api.ink('black', 170);
  api.box(0, y - 4, api.screen.width, size + 8);
  api.ink('#ff5050');
  api.write(message, 6, y, size);
  if (!told.has(message)) console.error(`${api.name}: ${message}`);
  told.add(message);
}
