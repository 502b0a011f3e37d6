// The life of a piece: boot once, then sim and paint on every frame.

import { drawing } from './draw.mjs';
import { listen } from './input.mjs';
import { hash, seeded } from './random.mjs';

/** @typedef {import('./types.mjs').Api} Api */
/** @typedef {import('./types.mjs').Piece} Piece */

const SIM_RATE = 120; // steps per second
const MOST_STEPS = 2 * SIM_RATE; // of one frame, after a long pause

const config = JSON.parse(document.getElementById('piece')?.textContent ?? '{}');
const stage = /** @type {HTMLElement} */ (document.getElementById('aesthetic-computer'));
const query = new URLSearchParams(location.search);

/** CSS pixels to a side of an art pixel, as asked for by the address or a bundle; else the screen's own pixels. */
function density() {
  const asked = Number(query.get('density') ?? /** @type {any} */ (window).acPACK_DENSITY);
  return asked > 0 ? Math.min(asked, 16) : 1 / window.devicePixelRatio;
}

/**
 * The API without a surface: what every piece gets.
 * @returns {any}
 */
function bareApi() {
  const seed = hash([config.name, ...config.params, query.get('seed') ?? ''].join('~'));
  return {
    screen: { width: 1, height: 1 },
    time: 0,
    frame: 0,
    step: 0,
    name: config.name,
    params: config.params,
    source: config.source ?? '',
    query,
    random: seeded(seed),
    stage,
  };
}

/**
 * Give the API a canvas, and its drawing words when it is a 2D one.
 * @param {any} api
 * @param {string} surface
 */
function addCanvas(api, surface) {
  api.canvas = document.createElement('canvas');
  stage.append(api.canvas);
  if (surface !== '2d') return;
  api.context = api.canvas.getContext('2d');
  Object.assign(api, drawing(api.context));
}

/**
 * Keep the screen, and the canvas if there is one, as large as the stage.
 * @param {Api} api
 */
function fit(api) {
  const width = Math.max(1, Math.round(stage.clientWidth / density()));
  const height = Math.max(1, Math.round(stage.clientHeight / density()));
  if (api.screen.width === width && api.screen.height === height) return;
  api.screen = { width, height };
  if (api.canvas) Object.assign(api.canvas, { width, height });
}

/**
 * Bring the simulation up to the frame's time in whole steps.
 * @param {Piece} piece
 * @param {Api} api
 */
function simulate(piece, api) {
  const due = Math.floor((api.time * SIM_RATE) / 1000 + 1e-6);
  api.step = Math.max(api.step, due - MOST_STEPS);
  for (; api.step < due; api.step++) piece.sim?.(api);
}

/**
 * Run the piece on the browser's frames. An error stops it, and is seen.
 * @param {Piece} piece
 * @param {Api} api
 */
function play(piece, api) {
  /** @type {number | undefined} */
  let start;
  const onFrame = (/** @type {number} */ now) => {
    start ??= now;
    api.time = now - start;
    api.frame = Math.floor((api.time * 60) / 1000 + 1e-6);
    fit(api);
    simulate(piece, api);
    piece.paint?.(api);
    if (piece.signals !== false) /** @type {any} */ (window).acPieceReady = true;
    requestAnimationFrame(onFrame);
  };
  requestAnimationFrame(onFrame);
}

/** @type {Piece} */
const piece = await import(config.module);
const api = bareApi();
const surface = piece.surface ?? '2d';
if (surface !== 'dom') addCanvas(api, surface);
fit(api);
await piece.boot?.(api);
if (query.get('tv') !== 'true') listen(stage, density, (event) => piece.act?.(api, event));
play(piece, api);
