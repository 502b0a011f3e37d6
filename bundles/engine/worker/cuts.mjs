// Where the keys lie in a finished module, and what it exports. Import maps do not reach workers: there the page cuts
// the keys out and puts addresses in.

import { init, parse } from 'es-module-lexer';

await init;

/**
 * `cuts`: start, end (of the key without quotes, or of the whole expression), the key, and whether it is a dynamic
 * import. `names`: what is exported; `stars`: the keys of modules all of whose exports are exported as well.
 * @param {string} code
 */
export function cuts(code) {
  const [imports, exports] = parse(code);
  return {
    cuts: imports
      .filter(({ type, specifier, start, end }) => type !== 'import-meta' && specifier !== undefined && isLiteral(code, start, end))
      .map(({ type, specifier, start, end }) => [start, end, specifier, type === 'dynamic']),
    names: exports.filter(({ type }) => type !== 'reexport-all').map(({ name }) => name),
    stars: exports.filter(({ type }) => type === 'reexport-all').map(({ from }) => from),
  };
}

/** A template that has nothing to fill in is as good as a string; the minifier makes such. */
export const isLiteral = (code, start, end) => code[start] !== '`' || !code.slice(start, end).includes('${');
