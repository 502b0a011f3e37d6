#!/usr/bin/env node
// What the language has that a rewriter or a minifier may get wrong. <!-- and </script> are only text here

import data from './parts/data.json' with { type: 'json' };
import * as all from './parts/exports.mjs';
import fallback, { 'a name with spaces' as spaced, later as renamed } from './parts/exports.mjs';
import { isEven } from './parts/even.mjs';
import { héllo } from './parts/naïve-ñame 文字.mjs';

export * as again from './parts/exports.mjs';
export { later as exported } from './parts/exports.mjs';

const told = [];
const tell = (...values) => told.push(values.map((value) => (typeof value === 'bigint' ? `${value}n` : JSON.stringify(value))).join(' '));
const name = 'lazy';
const lazy = await import(`./parts/${name}.mjs`);

class Counter {
  #count = 1;
  static made = 0;
  static { Counter.made = 41; Counter.made++; }
  static is(value) { return #count in value; }
  #double() { return this.#count * 2; }
  get count() { return this.#count; }
  set count(value) { this.#count = value; }
  twice() { this.count = 21; return this.#double(); }
  async *steps() { for (let i = 0; i < 3; i++) yield this.#count + i; }
}

function* generator() { const sent = yield 1; yield* [sent, 3]; }
const tag = (parts, ...values) => parts.raw.join('|') + values.join();
const destructured = () => { try { throw {}; } catch ({ missing = tag`x` }) { return missing; } };
const longName = (value) => value + 1;
const defaults = (value, call = () => longName(value)) => { const longName = 5; return call() + longName; };

export default async () => {
  tell('imports', data.list, all.a, spaced, renamed, fallback(), isEven(10), héllo, lazy.lazy, lazy.default.n);
  tell('json', (await import('./parts/data.json', { with: { type: 'json' } })).default.text);
  const counter = new Counter();
  tell('private', Counter.is(counter), Counter.is({}), counter.twice(), Counter.made);
  const steps = [];
  for await (const step of counter.steps()) steps.push(step);
  tell('async', steps, await Promise.all([1, 2].map(async (n) => { await null; return n * 2; })));
  tell('optional', counter.nope?.deep.er, null ?? 5, (-2) ** 2, (() => { let x = null; x ??= 3; x &&= x + 1; return x; })());
  tell('numbers', 1_000_000, 0b11, 0o17, 1e21, 5e-324, 0.1 + 0.2, 123456789012345678901234567890n * 2n, Object.is(-0, 0));
  tell('floats', ((x) => (x * 2) * 0.1 / 3 - (1 / 3) * x)(0.7), ((a, b, c) => a + 1e16 + b - 1e16 + c)(1, 2, 3));
  tell('patterns', 'aaBB'.match(/(?<upper>[A-Z]+)/).groups.upper, /(?<=\$)\d+/.exec('a$42')[0], /[\p{L}--[a-z]]/v.test('Q'),
    [...'abab'.matchAll(/b/dg)].map((found) => found.indices[0]), /\//.source, /[/'"`]/.test("'"));
  tell('text', tag`a\n${1}b\u0041${`in${2}`}`, '</script>', '<!-- x -->', '<script>', `</SCRIPT >${'<!--'}`, '\u{1F600} é 文', '\u2028'.length, "it's");
  let seen = 0;
  const getter = { get value() { seen++; return 1; } };
  getter.value; void getter.value;
  const { value: unused } = getter;
  tell('getters', seen);
  tell('catch', destructured(), defaults(1));
  tell('division', 8 / longName.length / 2, [1, 2].length
/2/1);
  const it = generator();
  tell('generator', it.next().value, it.next('in').value, [...it]);
  outer: for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) { if (j === 1) continue outer; if (i === 2) break outer; tell(i, j); }
  try { tell(early); let early = 1; } catch (error) { tell('dead zone', error.name); }
  tell('hoisted', typeof hoisted, typeof never);
  function hoisted() {}
  tell('order', Object.keys({ b: 1, 2: 'x', a: 2, 1: 'y', ['c' + 1]: 3 }), { __proto__: { inherited: 1 } }.inherited);
  tell('own names', { slice: () => 'mine' }.slice(0), String({ toString: () => 'text' }), new Array(3).length);
  tell('meta', typeof import.meta.url, new URL('x.txt', import.meta.url).pathname.endsWith('/features/x.txt'), import.meta.resolve('./y.mjs').endsWith('/features/y.mjs'));
  tell('this', (function () { return this; })() === undefined, typeof globalThis);
  return told;
};
