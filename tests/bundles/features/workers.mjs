// Scripts with threads of their own: modules, classic scripts, a worker's worker, and messages that come early.

const ask = (worker, message) => new Promise((resolve, reject) => {
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = ({ message: text }) => reject(new Error(text));
  worker.postMessage(message);
});

export default async () => [
  await ask(new Worker(new URL('./parts/worker.mjs', import.meta.url), { type: 'module', name: 'one' }), 5),
  await ask(new Worker('/features/parts/worker.mjs', { type: 'module' }), 6),
  await ask(new Worker(new URL('./parts/classic.js', import.meta.url)), 7),
  await ask(new Worker(new URL('./parts/outer.mjs', import.meta.url), { type: 'module' }), 8),
  await ask(new Worker(new URL('./parts/ring.mjs', import.meta.url), { type: 'module' }), 9),
  await ask(new Worker(new URL('./parts/broken.mjs', import.meta.url), { type: 'module' }), 9).catch((error) => /went wrong/.test(error.message)),
];
