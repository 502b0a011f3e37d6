// A faceted ring turning in the light: WebGL with no library.

/** @typedef {import('../runtime/types.mjs').Api} Api */

export const surface = 'webgl';

const AROUND = 36; // facets along the ring
const ACROSS = 10; // and about its tube

const VERTEX = `
attribute vec3 place, normal;
attribute float hue;
uniform mat3 turn;
uniform float aspect;
varying vec3 lit;
varying float tone;
void main() {
  vec3 p = turn * place;
  lit = turn * normal;
  tone = hue;
  float w = 3.6 - p.z;
  gl_Position = vec4(p.xy * 2.35 * vec2(min(1.0, 1.0 / aspect), min(1.0, aspect)), -p.z * 0.4, w);
}`;

const FRAGMENT = `
precision mediump float;
varying vec3 lit;
varying float tone;
vec3 spectrum(float t) { return 0.55 + 0.45 * cos(6.2832 * (t + vec3(0.0, 0.33, 0.62))); }
void main() {
  vec3 n = normalize(lit);
  float light = max(0.0, dot(n, normalize(vec3(0.5, 0.8, 0.7))));
  float shine = pow(max(0.0, dot(n, normalize(vec3(0.25, 0.4, 0.9)))), 24.0);
  float rim = pow(1.0 - abs(n.z), 2.0);
  vec3 colour = spectrum(tone + n.y * 0.12) * (0.25 + 0.85 * light);
  gl_FragColor = vec4(colour + vec3(0.55) * shine + vec3(0.1, 0.25, 0.5) * rim, 1.0);
}`;

/** @type {WebGLRenderingContext | null} */
let gl = null;
/** @type {WebGLProgram} */
let program;

/** @param {Api} api */
export function boot({ canvas, stage }) {
  gl = canvas.getContext('webgl', { antialias: true });
  if (!gl) return sayMissing(canvas, stage);
  program = build(gl);
  gl.useProgram(program);
  upload(gl, program, ring());
  gl.enable(gl.DEPTH_TEST);
}

/** @param {Api} api */
export function paint({ screen, time }) {
  if (!gl) return;
  const t = time / 1000;
  gl.viewport(0, 0, screen.width, screen.height);
  gl.clearColor(0.05, 0.13 + 0.02 * Math.sin(t), 0.17, 1);
  gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
  gl.uniform1f(gl.getUniformLocation(program, 'aspect'), screen.width / screen.height);
  gl.uniformMatrix3fv(gl.getUniformLocation(program, 'turn'), false, turned(0.5 + t * 0.9, t * 1.3 - 0.6));
  gl.drawArrays(gl.TRIANGLES, 0, AROUND * ACROSS * 6);
}

/** @type {(canvas: HTMLCanvasElement, stage: HTMLElement) => void} */
function sayMissing(canvas, stage) {
  canvas.remove();
  const text = document.createElement('p');
  text.textContent = 'This piece needs WebGL, which this browser does not offer.';
  text.style.cssText = 'color:#bfe;font:18px system-ui,sans-serif;margin:20%;text-align:center';
  stage.append(text);
}

/** @param {WebGLRenderingContext} gl */
function build(gl) {
  const built = /** @type {WebGLProgram} */ (gl.createProgram());
  for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
    const shader = /** @type {WebGLShader} */ (gl.createShader(Number(kind)));
    gl.shaderSource(shader, String(text));
    gl.compileShader(shader);
    gl.attachShader(built, shader);
  }
  gl.linkProgram(built);
  if (!gl.getProgramParameter(built, gl.LINK_STATUS)) {
    throw new Error(`prism: ${gl.getProgramInfoLog(built)}`);
  }
  return built;
}

/**
 * Seven numbers to a vertex: place, normal and hue.
 * @type {(gl: WebGLRenderingContext, program: WebGLProgram, data: Float32Array) => void}
 */
function upload(gl, program, data) {
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
  for (const [name, size, offset] of /** @type {[string, number, number][]} */ ([
    ['place', 3, 0], ['normal', 3, 12], ['hue', 1, 24],
  ])) {
    const slot = gl.getAttribLocation(program, name);
    gl.enableVertexAttribArray(slot);
    gl.vertexAttribPointer(slot, size, gl.FLOAT, false, 28, offset);
  }
}

/** The ring's triangles, each facet flat. */
function ring() {
  const data = [];
  for (let i = 0; i < AROUND; i++) {
    for (let j = 0; j < ACROSS; j++) {
      const [a, b, c, d] = [[i, j], [i + 1, j], [i + 1, j + 1], [i, j + 1]].map(spot);
      const normal = facing(a, b, c);
      const hue = i / AROUND + (j % 2) * 0.06;
      for (const p of [a, b, c, a, c, d]) data.push(...p, ...normal, hue);
    }
  }
  return new Float32Array(data);
}

/** @param {number[]} at */
function spot([i, j]) {
  const u = (i / AROUND) * Math.PI * 2;
  const v = ((j + i * 0.5) / ACROSS) * Math.PI * 2; // twisted as it goes round
  const r = 0.78 + 0.34 * Math.cos(v);
  return [r * Math.cos(u), r * Math.sin(u), 0.34 * Math.sin(v)];
}

/** @param {...number[]} corners */
function facing(a, b, c) {
  const [x, y, z] = a.map((v, i) => b[i] - v);
  const [p, q, r] = a.map((v, i) => c[i] - v);
  return [y * r - z * q, z * p - x * r, x * q - y * p];
}

/** @type {(a: number, b: number) => Float32Array} */
function turned(a, b) {
  const [ca, sa, cb, sb] = [Math.cos(a), Math.sin(a), Math.cos(b), Math.sin(b)];
  return new Float32Array([cb, sa * sb, -ca * sb, 0, ca, sa, sb, -sa * cb, ca * cb]);
}
