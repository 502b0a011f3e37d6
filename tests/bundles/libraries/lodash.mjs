// Several hundred modules, and a few hundred calls.

import * as _ from 'lodash-es';

const SAMPLES = [
  null, undefined, 0, -0, 1.5, NaN, '', 'fooBar baz', '  x ', [], [1, 2, 2, 3], [[1], [[2]]], {}, { a: 1, b: { c: [2] } },
  new Date(0), /x/g, () => 1, new Map([[1, 2]]), new Set([1]), Symbol.iterator,
];
const SKIPPED = /^(uniqueId|now|random|sample|sampleSize|shuffle|defer|delay|debounce|throttle|runInContext|mixin|bindAll|times|range|rangeRight|fill|pad|padStart|padEnd|repeat|wrapper.*|prototype.*|default|templateSettings)$/;

const shown = (value) => {
  try {
    return JSON.stringify(value, (_key, part) => (typeof part === 'function' ? 'f' : typeof part === 'symbol' ? 's' : part)) ?? String(value);
  } catch (error) {
    return error.name;
  }
};

export default function run() {
  const found = {};
  for (const name of Object.keys(_).sort()) {
    if (SKIPPED.test(name) || typeof _[name] !== 'function') continue;
    found[name] = SAMPLES.map((sample) => {
      try {
        return shown(_[name](_.cloneDeep(sample), 1));
      } catch (error) {
        return error.name;
      }
    });
  }
  return { calls: Object.keys(found).length * SAMPLES.length, found };
}
