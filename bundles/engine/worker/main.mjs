// The long-lived worker: reads modules, finds what they import, rewrites and minifies them.
//
// It speaks frames over stdin and stdout: four bytes of length (little-endian), then JSON. It ends when its stdin
// does, so that it never outlives its owner; `leash.mjs` sees to it when a stuck module keeps this thread busy.

import { Worker } from 'node:worker_threads';

import { firstFault, remember } from './checked.mjs';
import { cuts } from './cuts.mjs';
import { frames, send } from './frames.mjs';
import { minified, mistake } from './minified.mjs';
import { rewritten } from './rewritten.mjs';

/** @type {Record<string, (request: any, reply: (answer: object) => void) => unknown>} */
const OPERATIONS = {
  ping: (_, reply) => reply({ node: process.version }),
  modules: prepareAll,
  check: ({ run }, reply) => reply({ fault: firstFault(run) }),
  cuts: ({ texts }, reply) => reply({ cuts: texts.map(cuts) }),
  script: async ({ code }, reply) => reply({ code: (await minified({ path: 'page.js', code, module: false })).code }),
};

/** First what every file imports, so that the owner can go on reading; then each one's text as it is ready. */
async function prepareAll({ run, files, site }, reply) {
  const prepared = files.map((file) => explained({ ...file, ...rewritten(file, site) }));
  reply({ edges: prepared.map(({ path, edges, problem }) => ({ path, edges: edges.map(asRow), problem })) });
  const sound = prepared.filter((file) => !file.problem);
  remember(run, sound);
  await Promise.all(sound.map(async (file) => reply({ text: { path: file.path, ...(await minified(file)) } })));
}

/** In the order that the owner expects; there are many. */
const asRow = ({ kind, specifier, path, why, line, column }) => [kind, specifier, path, why, line, column];

/** The lexer knows where, the parser also what. */
function explained(file) {
  return file.problem ? { ...file, problem: mistake(file) ?? file.problem } : file;
}

async function answer(request) {
  const reply = (body) => send({ id: request.id, ...body });
  try {
    await OPERATIONS[request.op](request, reply);
    reply({ done: true });
  } catch (error) {
    reply({ failed: String(error?.stack ?? error) });
  }
}

new Worker(new URL('./leash.mjs', import.meta.url), { workerData: process.ppid }).unref();
for await (const request of frames(process.stdin)) answer(request);
process.exit(0);
