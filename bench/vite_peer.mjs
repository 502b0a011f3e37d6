// The whole job as one would do it with Vite: a page, its modules and its styles become one HTML file.
//
// For each line of input (JSON: {root, page, out, replace}) one build, and one line of output; a line without a page is
// answered at once. Vite's own settings, but for what a page in one file needs, and `replace`: what the runtime imports
// by a name that only the running page knows has to be named for a bundler.

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const home = createRequire(join(process.argv[2], 'x.js'));
const load = (name) => import(pathToFileURL(home.resolve(name)));
const { build } = await load('vite');
const { viteSingleFile } = await load('vite-plugin-singlefile');

const named = (replace) => ({
  name: 'named',
  transform: (code) => Object.entries(replace).reduce((text, [from, to]) => text.replaceAll(from, to), code),
});

async function round({ root, page, out, replace }) {
  if (!page) return {};
  const started = performance.now();
  await build({
    root,
    configFile: false,
    publicDir: false,
    logLevel: 'error',
    plugins: [named(replace), viteSingleFile()],
    build: { outDir: dirname(out), emptyOutDir: false, target: 'esnext', rollupOptions: { input: join(root, page) } },
  });
  return { ms: performance.now() - started };
}

for await (const line of createInterface(process.stdin)) console.log(JSON.stringify(await round(JSON.parse(line))));
