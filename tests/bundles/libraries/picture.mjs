// A short name for a picture: equal pictures have equal ones.

export function hash(values) {
  let found = 0x811c9dc5;
  for (const value of values) found = Math.imul(found ^ value, 0x01000193) >>> 0;
  return found;
}

/** Of a 2D canvas, with how many colours it has: a blank one has one. */
export function look(canvas) {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return { size: [canvas.width, canvas.height], hash: hash(data), colours: new Set(new Uint32Array(data.buffer)).size };
}
