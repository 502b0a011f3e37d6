import data from './data.json' with { type: 'json' };
import { isTriple } from './triple.mjs';

const later = import('./lazy.mjs');

self.onmessage = async ({ data: sent }) => {
  const { lazy } = await later;
  const text = await (await fetch(new URL('./note.txt', import.meta.url))).text();
  const other = await import(`./${'lazy'}.mjs`);
  postMessage([sent * 2, data.list, isTriple(sent), lazy === other.lazy, text.trim(), self.constructor.name]);
};
