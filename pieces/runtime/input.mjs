// Pass pointer and keyboard events to the piece, in art pixels.

/** @typedef {import('./types.mjs').Act} Act */

/**
 * Pass the stage's events on.
 * @param {HTMLElement} stage
 * @param {() => number} density CSS pixels to a side of an art pixel
 * @param {(event: Act) => void} act
 */
export function listen(stage, density, act) {
  /** @type {(type: Act['type'], event: PointerEvent) => void} */
  const point = (type, event) => {
    const edge = stage.getBoundingClientRect();
    const x = (event.clientX - edge.left) / density();
    const y = (event.clientY - edge.top) / density();
    act({ type, x, y, key: '' });
  };
  stage.addEventListener('pointerdown', (event) => point('touch', event));
  stage.addEventListener('pointermove', (event) => point(event.buttons ? 'draw' : 'move', event));
  stage.addEventListener('pointerup', (event) => point('lift', event));
  window.addEventListener('keydown', (event) => act({ type: 'key', x: 0, y: 0, key: event.key }));
}
