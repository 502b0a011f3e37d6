const inner = new Worker(new URL('./worker.mjs', import.meta.url), { type: 'module' });

onmessage = ({ data }) => {
  inner.onmessage = ({ data: answer }) => postMessage(['inner', answer]);
  inner.postMessage(data);
};
