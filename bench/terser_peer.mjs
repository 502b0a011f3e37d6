// The same job as one would do it with terser: find modules with regular expressions, rewrite, minify in batches of ten.
//
// For each line of input (JSON: {root, seeds, part, parts, out}) one round, and one line of output. Options are those
// of the service that Oven replaces, in its later, safe form.

import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, normalize } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const { minify } = await import(pathToFileURL(createRequire(join(process.argv[2], 'x.js')).resolve('terser')));

const NAMED = /(?:from\s*|import\s*\(\s*|import\s+)(["'])(\.{1,2}\/[^"']+)\1/g;
const OPTIONS = {
  module: true,
  compress: { passes: 2, dead_code: true, unused: true, drop_debugger: true, pure_getters: 'strict', module: true },
  mangle: { toplevel: true, module: true },
  format: { comments: false, ascii_only: false, ecma: 2020 },
};
const BATCH = 10;

const target = (from, name) => normalize(join(dirname(from), name.replace(/[?#].*$/, '')));

async function discover(root, seeds) {
  const texts = new Map();
  for (let next = seeds; next.length; ) {
    const read = await Promise.all(next.map(async (path) => [path, await readFile(join(root, path), 'utf8').catch(() => null)]));
    const found = read.filter(([, text]) => text !== null); // the expressions also find what only comments name
    found.forEach(([path, text]) => texts.set(path, text));
    const named = found.flatMap(([path, text]) => [...text.matchAll(NAMED)].map((match) => target(path, match[2])));
    next = [...new Set(named)].filter((path) => !texts.has(path));
  }
  return texts;
}

const rewritten = (path, text) => text.replace(NAMED, (whole, quote, name) => whole.replace(name, target(path, name)));

async function round({ root, seeds, part = 0, parts = 1, out }) {
  const started = performance.now();
  const all = [...(await discover(root, seeds))].sort(([a], [b]) => (a < b ? -1 : 1));
  const own = all.filter((_, index) => index % parts === part);
  const done = {};
  for (let at = 0; at < own.length; at += BATCH) {
    await Promise.all(own.slice(at, at + BATCH).map(async ([path, text]) => {
      done[path] = (await minify(rewritten(path, text), OPTIONS)).code;
    }));
  }
  const ms = performance.now() - started;
  if (out) await writeFile(out, JSON.stringify(done));
  return { ms, files: all.length, bytes: all.reduce((sum, [, text]) => sum + text.length, 0) };
}

for await (const line of createInterface(process.stdin)) console.log(JSON.stringify(await round(JSON.parse(line))));
