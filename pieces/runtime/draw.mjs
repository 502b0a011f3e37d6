// The drawing words, over a 2D context. Coordinates are art pixels.

/** @typedef {import('./types.mjs').Colour} Colour */

const FONT = 'ui-monospace, "DejaVu Sans Mono", Menlo, monospace';

/**
 * A CSS colour from what `ink` and `wipe` accept.
 * @param {Colour[]} parts
 * @returns {string}
 */
export function css(parts) {
  const flat = parts.flat();
  if (typeof flat[0] === 'string') return named(flat[0], flat[1]);
  const [r = 0, g = r, b = r, a = 255] = /** @type {number[]} */ (flat);
  return `rgb(${r} ${g} ${b} / ${a / 255})`;
}

/**
 * @param {string} name
 * @param {string | number} [alpha] 0-255
 */
function named(name, alpha) {
  if (alpha === undefined) return name;
  return `rgb(from ${name} r g b / ${Number(alpha) / 255})`;
}

/**
 * The drawing words for a context.
 * @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} context
 */
export function drawing(context) {
  const finish = (/** @type {boolean} */ outline) => (outline ? context.stroke() : context.fill());

  return {
    /** Fill everything. @param {...Colour} colour */
    wipe(...colour) {
      const { width, height } = context.canvas;
      const kept = context.fillStyle;
      context.fillStyle = colour.length ? css(colour) : '#000';
      context.fillRect(0, 0, width, height);
      context.fillStyle = kept;
    },
    /** Set the colour of what follows. @param {...Colour} colour */
    ink(...colour) {
      context.fillStyle = context.strokeStyle = css(colour);
    },
    /** Set the width of lines. @param {number} width */
    thick(width) {
      context.lineWidth = width;
    },
    /** @type {(x1: number, y1: number, x2: number, y2: number) => void} */
    line(x1, y1, x2, y2) {
      context.beginPath();
      context.moveTo(x1, y1);
      context.lineTo(x2, y2);
      context.stroke();
    },
    /** @type {(x: number, y: number, w: number, h: number, outline?: boolean) => void} */
    box(x, y, w, h, outline = false) {
      context.beginPath();
      context.rect(x, y, w, h);
      finish(outline);
    },
    /** @type {(x: number, y: number, r: number, outline?: boolean) => void} */
    circle(x, y, r, outline = false) {
      context.beginPath();
      context.arc(x, y, Math.max(0, r), 0, Math.PI * 2);
      finish(outline);
    },
    /** @type {(points: number[][], outline?: boolean) => void} */
    poly(points, outline = false) {
      context.beginPath();
      for (const [x, y] of points) context.lineTo(x, y);
      context.closePath();
      finish(outline);
    },
    /** One art pixel. @type {(x: number, y: number) => void} */
    plot(x, y) {
      context.fillRect(Math.floor(x), Math.floor(y), 1, 1);
    },
    /** Text whose left top is at x, y. */
    write(/** @type {string} */ text, /** @type {number} */ x, /** @type {number} */ y,
      size = 12, font = FONT) {
      context.font = `${size}px ${font}`;
      context.textBaseline = 'top';
      context.fillText(text, x, y);
    },
  };
}
