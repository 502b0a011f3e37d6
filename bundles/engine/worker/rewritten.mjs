// A module with every specifier replaced by its key: the path below the root, which the page's import map knows.
//
// Modules run from blob URLs there, against which nothing relative resolves. What cannot be known before it runs is
// left to `__pack`, the page's own resolver (page/kernel.js).

import { init, parse } from 'es-module-lexer';

import { isLiteral } from './cuts.mjs';
import { resolved } from './resolved.mjs';

/** @typedef {import('./resolved.mjs').Site} Site */
/** @typedef {{kind: string, specifier: string, path: string, why: string, line: number, column: number}} Edge */
/** @typedef {{start: number, end: number, text: string}} Splice */

await init;

const SCRIPT = /\.m?js$/;
const LITERAL = String.raw`(["'\x60])((?:(?!\1)[^\\\n$])*)\1`;
const BEFORE_META = new RegExp(String.raw`\bnew\s+URL\s*\(\s*${LITERAL}\s*,\s*$`);
const AFTER_META = /^\s*\.\s*url\s*,?\s*\)/;
const LONGEST_CALL = 2000; // characters from `new URL(` to its `import.meta`
const WORDS = ['Worker', 'fetch', 'addModule', 'importScripts'];
const STARTS = String.raw`\b(?:new\s+(?:Shared)?Worker|fetch|addModule|importScripts)\s*\(\s*${LITERAL}`;

/**
 * @param {{path: string, code: string}} file
 * @param {Site} site
 * @returns {{code: string, original?: string, module: boolean, edges: Edge[], problem?: object}}
 */
export function rewritten({ path, code }, site) {
  let parsed;
  try {
    parsed = parse(code);
  } catch (error) {
    if (typeof error?.idx !== 'number') throw error;
    const problem = { message: 'cannot be read as a module', ...position(code, error.idx) };
    return { code, module: true, edges: [], problem };
  }
  const [imports, , , hasModuleSyntax] = parsed;
  const scope = { path, code, site, edges: [], splices: [] };
  for (const found of imports) REWRITE[kindOf(found, code)](found, scope);
  hint(scope);
  return { code: spliced(code, scope.splices), original: code, module: hasModuleSyntax || path.endsWith('.mjs'), edges: scope.edges };
}

/** @param {any} found @param {string} code */
function kindOf({ type, specifier, start, end }, code) {
  if (type === 'import-meta') return 'meta';
  if (type !== 'dynamic') return 'static';
  if (!isLiteral(code, start, end) && specifier !== undefined) return 'glob';
  return specifier === undefined ? 'open' : 'dynamic';
}

const REWRITE = {
  static(found, scope) {
    const { path, why } = edge('static', found.specifier, found.start, scope);
    if (why) return;
    splice(scope, found, inside(path));
    // What the page imports as JSON or as a style sheet it has made a script of, which no policy minds.
    if (found.attributes) splice(scope, { start: found.end + 1, end: found.importEnd }, '');
  },
  dynamic(found, scope) {
    const { path, why } = edge('dynamic', found.specifier, found.start, scope);
    if (!why) splice(scope, { start: found.start, end: found.importEnd - 1 }, JSON.stringify(path));
  },
  glob(found, scope) {
    edge('glob', found.specifier, found.start, scope);
    lookUpLater(found, scope);
  },
  open(found, scope) {
    edge('open', scope.code.slice(found.start, found.end), found.start, scope);
    lookUpLater(found, scope);
  },
  meta(found, scope) {
    if (!literalUrl(found, scope)) splice(scope, found, `__pack.meta(${JSON.stringify(scope.path)})`);
  },
};

/** What the expression names is known when it runs. */
function lookUpLater(found, scope) {
  splice(scope, { start: found.start, end: found.start }, '__pack.find(');
  splice(scope, { start: found.end, end: found.importEnd - 1 }, `,${JSON.stringify(scope.path)})`);
}

/**
 * `new URL('./picture.png', import.meta.url)`: a file of the bundle, with an address of its own. Scripts keep a
 * path, because whoever starts them (a worker, a worklet) has to make an address that knows their imports.
 */
function literalUrl(found, scope) {
  const { code } = scope;
  const before = BEFORE_META.exec(code.slice(Math.max(0, found.start - LONGEST_CALL), found.start));
  const after = AFTER_META.exec(code.slice(found.end, found.end + LONGEST_CALL));
  if (!before || !after || /(^|\/)\.{0,2}$/.test(before[2])) return false;
  const specifier = relative(before[2]);
  const script = SCRIPT.test(specifier.replace(/[?#].*$/s, ''));
  const start = found.start - before[0].length;
  const { path, why } = edge(script ? 'worker' : 'asset', specifier, start, scope);
  if (script || why) return false;
  splice(scope, { start, end: found.end + after[0].length }, `new URL(__pack.url(${JSON.stringify(path)}))`);
  return true;
}

/**
 * Files named in the calls that start workers or fetch. Only a hint, as a comment or a string may look the same:
 * the owner takes them along when they exist, and the text stays as it is.
 */
function hint(scope) {
  if (!WORDS.some((word) => scope.code.includes(word))) return;
  for (const found of scope.code.matchAll(new RegExp(STARTS, 'g'))) {
    const kind = found[0].startsWith('fetch') ? 'hint' : 'start';
    for (const path of targets(relative(found[2]), scope)) {
      scope.edges.push({ kind, specifier: found[2], path, why: '', ...position(scope.code, found.index) });
    }
  }
}

/** Such calls go by the page's address in a page, and by the script's in a worker. */
function targets(specifier, scope) {
  const found = ['', scope.path].map((importer) => resolved(specifier, importer, scope.site));
  return new Set(found.filter(({ why, path }) => !why && path).map(({ path }) => path));
}

/** Unlike in an import, `a.mjs` here means `./a.mjs`. @param {string} text */
const relative = (text) => (/^[./]|^[a-z][a-z0-9+.-]*:/i.test(text) ? text : `./${text}`);

/** @returns {Edge} */
function edge(kind, specifier, at, scope) {
  const target = kind === 'open' ? { path: '', why: '' } : resolved(specifier, scope.path, scope.site);
  const made = { kind, specifier, ...target, ...position(scope.code, at) };
  scope.edges.push(made);
  return made;
}

function splice(scope, { start, end }, text) {
  scope.splices.push({ start, end, text });
}

/** Text that is right between either kind of quotes. @param {string} path */
const inside = (path) => JSON.stringify(path).slice(1, -1).replaceAll("'", "\\'");

/**
 * Splices do not overlap; what wraps an expression is put before and after it.
 * @param {string} code
 * @param {Splice[]} splices
 */
function spliced(code, splices) {
  const parts = [];
  let at = 0;
  for (const { start, end, text } of splices.sort((a, b) => a.start - b.start || a.end - b.end)) {
    parts.push(code.slice(at, start), text);
    at = end;
  }
  return parts.join('') + code.slice(at);
}

/**
 * Line and column, counted from 1, of a place in a text.
 * @param {string} code
 * @param {number} at
 */
export function position(code, at) {
  const start = code.lastIndexOf('\n', at - 1) + 1;
  let line = 1;
  for (let i = code.indexOf('\n'); i !== -1 && i < start; i = code.indexOf('\n', i + 1)) line++;
  return { line, column: at - start + 1 };
}
