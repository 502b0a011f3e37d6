// What the minifier's parser lets pass, V8 does not: names declared twice, exports of nothing, classes without a name.

import { spawnSync } from 'node:child_process';
import { Script, SourceTextModule } from 'node:vm';

const [MAJOR] = process.versions.node.split('.').map(Number);
// An older V8 does not know all that today's browsers do: what it refuses may well be right.
const CURRENT = MAJOR >= 24;
const LOOK_LIMIT_MS = 10_000;

/**
 * The first mistake in a text, which is compiled and never run.
 * @param {string} text
 * @param {boolean} module
 * @returns {{message: string, line: number, column: number} | undefined}
 */
export function fault(text, module) {
  if (!CURRENT) return undefined;
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
