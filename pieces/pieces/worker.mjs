// A sunflower grown off the main thread, on an OffscreenCanvas.

/** @typedef {import('../runtime/types.mjs').Api} Api */

export const surface = 'dom'; // the canvas is handed over, so it is no business of the runtime

/** @type {Worker} */
let scene;
let sent = '';

/** @param {Api} api */
export function boot({ stage, screen, random }) {
  const canvas = document.createElement('canvas');
  stage.append(canvas);
  const off = canvas.transferControlToOffscreen();
  scene = new Worker('/pieces/worker-scene.mjs', { type: 'module' });
  const started = new Promise((resolve, reject) => {
    scene.onmessage = resolve;
    scene.onerror = (event) => reject(new Error(event.message));
  });
  scene.postMessage({ canvas: off, ...screen, phase: random() * 6 }, [off]);
  return started;
}

/** @param {Api} api */
export function paint({ screen }) {
  const now = `${screen.width} ${screen.height}`;
  if (now !== sent) scene.postMessage(screen);
  sent = now;
}
