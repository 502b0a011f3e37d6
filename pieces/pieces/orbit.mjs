// Planets with long tails. `orbit~3` has three of them.

/** @typedef {import('../runtime/types.mjs').Api} Api */
/** @typedef {{far: number, size: number, hue: number, phase: number, speed: number}} Planet */

const TAIL = 52; // discs to a tail

/** @type {Planet[]} */
let planets = [];
/** @type {number[][]} */
let stars = [];

/** @param {Api} api */
export function boot({ params, random }) {
  const asked = Math.floor(Number(params[0]));
  const count = asked > 0 ? Math.min(asked, 24) : 7;
  planets = Array.from({ length: count }, (_, i) => ({
    far: 0.25 + (0.75 * (i + 1)) / count,
    size: 0.018 + random() * 0.02,
    hue: 190 + (i * 210) / count,
    phase: i * 2.4 + random() * 0.7,
    speed: 2.6 / (1 + i * 0.45),
  }));
  stars = Array.from({ length: 160 }, () => [random(), random(), random()]);
}

/** @param {Api} api */
export function paint(api) {
  api.wipe(13, 11, 38);
  sky(api);
  const front = planets.map((planet) => Math.sin(angle(planet, api.time)) > 0);
  planets.forEach((planet, i) => front[i] || tail(api, planet));
  sun(api);
  planets.forEach((planet, i) => front[i] && tail(api, planet));
}

/** @type {(planet: Planet, time: number) => number} */
const angle = ({ phase, speed }, time) => phase + (time / 1000) * speed;

/** @param {Api} api */
function sky(api) {
  const { width, height } = api.screen;
  for (const [x, y, z] of stars) {
    const twinkle = 0.6 + 0.4 * Math.sin(api.time / 300 + z * 40);
    api.ink(190 + z * 65, 200, 255, 40 + 150 * z * twinkle);
    api.circle(x * width, y * height, (0.6 + z) * Math.max(0.7, width / 640));
  }
}

/** @param {Api} api */
function sun(api) {
  const { width, height } = api.screen;
  const unit = Math.min(width, height);
  const glow = 1 + 0.06 * Math.sin(api.time / 280);
  for (let ring = 7; ring >= 0; ring--) {
    api.ink(255, 236 - ring * 20, 170 - ring * 22, ring ? 34 : 255);
    api.circle(width / 2, height / 2, unit * (0.055 + ring * 0.016) * glow);
  }
}

/**
 * A planet and where it has just been.
 * @param {Api} api
 * @param {Planet} planet
 */
function tail(api, planet) {
  const { width, height } = api.screen;
  const unit = Math.min(width, height);
  const tilt = -0.42;
  for (let i = TAIL; i >= 0; i--) {
    const a = angle(planet, api.time) - i * 0.034;
    const x = Math.cos(a) * planet.far * unit * 0.5;
    const y = Math.sin(a) * planet.far * unit * 0.29;
    const fade = 1 - i / TAIL;
    api.ink(`hsl(${planet.hue + i * 0.8} 85% ${52 + 18 * fade}% / ${i ? fade * 0.42 : 1})`);
    api.circle(
      width / 2 + x * Math.cos(tilt) - y * Math.sin(tilt),
      height / 2 + x * Math.sin(tilt) + y * Math.cos(tilt),
      unit * planet.size * (0.35 + 0.75 * fade) * (1 + 0.3 * Math.sin(a)),
    );
  }
}
