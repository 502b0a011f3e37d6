// Where the keys lie in a finished module. Import maps do not reach workers: there the page cuts the keys out and
// puts addresses in.

import { init, parse } from 'es-module-lexer';

await init;

/**
 * Start, end (of the key without quotes, or of the whole expression), the key, and whether it is a dynamic import.
 * @param {string} code
 * @returns {[number, number, string, boolean][]}
 */
export function cuts(code) {
  return parse(code)[0]
    .filter(({ type, specifier, glob }) => type !== 'import-meta' && specifier !== undefined && !glob)
    .map(({ type, specifier, start, end }) => [start, end, specifier, type === 'dynamic']);
}
