// A module made small, in the thread pool.

import { minify, minifySync } from 'oxc-minify';

/** @typedef {{path: string, code: string, original?: string, module: boolean, keep?: boolean}} Source */

// The minifier may give a destructured catch parameter the short name of a variable that its default reads.
const RISKY_CATCH = /\bcatch\s*\(\s*[[{]/;

/** The extension tells the parser what it reads. @param {Source} source */
const nameOf = ({ module }) => (module ? 'module.mjs' : 'script.js');

/** A classic script keeps its top-level names: others may read them as globals. @param {Source} source */
function optionsFor({ code, module }) {
  const mangle = !RISKY_CATCH.test(code) && { toplevel: module };
  return { module, compress: true, mangle, codegen: { removeWhitespace: true, legalComments: 'none' } };
}

/**
 * The text to ship. `problem` is a mistake of the author's, and ends the build; `error` one of the minifier's, after
 * which the text is shipped as it was rewritten.
 * @param {Source} source
 * @returns {Promise<{code: string, problem?: object, error?: string}>}
 */
export async function minified(source) {
  const found = await attempt(source);
  if (found.errors.length) {
    const problem = mistake(source);
    return problem ? { code: '', problem } : { code: source.code, error: found.errors[0].message };
  }
  return { code: source.keep ? source.code : found.code };
}

/** @param {Source} source */
async function attempt(source) {
  try {
    return await minify(nameOf(source), source.code, optionsFor(source));
  } catch (error) {
    return { code: '', errors: [{ message: String(error?.message ?? error) }] };
  }
}

/** The first syntax error of the text as its author wrote it. @param {Source} source */
export function mistake(source) {
  const text = source.original ?? source.code;
  const [first] = minifySync(nameOf(source), text, { module: source.module, compress: false, mangle: false }).errors;
  return first && { message: first.message, ...place(text, first.labels[0]?.start ?? 0) };
}

/** Line and column, counted from 1, of a byte. */
function place(text, byte) {
  const before = Buffer.from(text).subarray(0, byte).toString('utf8').split('\n');
  return { line: before.length, column: before[before.length - 1].length + 1 };
}
