// Components with state, context, effects and a part that is loaded later.

import { Fragment, createContext, h, render } from 'preact';
import { useContext, useEffect, useMemo, useReducer, useRef } from 'preact/hooks';

const Tone = createContext('plain');

function Counter({ step }) {
  const [count, add] = useReducer((sum, more) => sum + more, 0);
  const renders = useRef(0);
  renders.current++;
  useEffect(() => {
    if (count < 3 * step) add(step);
  }, [count]);
  const square = useMemo(() => count * count, [count]);
  return h('p', { class: useContext(Tone), 'data-renders': renders.current }, count, '²=', square);
}

export default async function run(stage) {
  const { Later } = await import('./preact-later.mjs');
  const list = ['a', '<b>', '"c"'].map((text) => h('li', { key: text, title: text }, text));
  render(h(Tone.Provider, { value: 'loud' }, h(Fragment, null, h(Counter, { step: 2 }), h('ul', null, list), h(Later))), stage);
  await new Promise((resolve) => setTimeout(resolve, 300));
  return stage.innerHTML;
}
