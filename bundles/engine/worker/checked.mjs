// What the minifier's parser lets pass, V8 does not: names declared twice, exports of nothing, classes without a name.
// It is asked when all is minified, while the owner has other things to do.

import { spawnSync } from 'node:child_process';
import { Script, SourceTextModule } from 'node:vm';

const [MAJOR] = process.versions.node.split('.').map(Number);
// An older V8 does not know all that today's browsers do: what it refuses may well be right.
const CURRENT = MAJOR >= 24;
const LOOK_LIMIT_MS = 10_000;

/** @type {{run: number, texts: {path: string, text: string, module: boolean}[]}} */
let pending = { run: 0, texts: [] };

/**
 * Keeps texts for later, all of one build; those of a build that was given up go.
 * @param {number} run
 * @param {{path: string, original: string, module: boolean}[]} files
 */
export function remember(run, files) {
  if (pending.run !== run) pending = { run, texts: [] };
  for (const { path, original, module } of files) pending.texts.push({ path, text: original, module });
}

/** The first mistake in what was remembered of a build. @param {number} run */
export function firstFault(run) {
  const texts = CURRENT && pending.run === run ? pending.texts : [];
  pending = { run: 0, texts: [] };
  for (const { path, text, module } of texts) {
    const problem = fault(text, module);
    if (problem) return { path, problem };
  }
  return null;
}

/** Compiles a text, and never runs it. */
function fault(text, module) {
  try {
    if (module) new SourceTextModule(text, { identifier: 'module' });
    else new Script(text, { filename: 'script' });
  } catch (error) {
    if (error instanceof SyntaxError) return { message: error.message, ...place(text, module) };
  }
  return undefined;
}

/** Only a whole Node tells where: `file:line`, the line, and a caret below the place. */
function place(text, module) {
  const kind = module ? 'module' : 'commonjs';
  const look = { input: text, encoding: 'utf8', timeout: LOOK_LIMIT_MS, maxBuffer: 1 << 26 };
  const { stderr } = spawnSync(process.execPath, ['--check', `--input-type=${kind}`, '-'], look);
  const found = /^\[stdin\]:(\d+)\n.*\n( *)\^/m.exec(stderr ?? '');
  return { line: found ? Number(found[1]) : 1, column: found ? found[2].length + 1 : 1 };
}
