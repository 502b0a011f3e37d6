// A thread that ends the process when its owner has gone, even while the main thread is stuck in a module.

import { workerData as owner } from 'node:worker_threads';

const LOOK_EVERY_MS = 500;

setInterval(() => {
  if (process.ppid !== owner) process.kill(process.pid, 'SIGKILL');
}, LOOK_EVERY_MS);
