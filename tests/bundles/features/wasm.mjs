// WebAssembly, streamed and not.

const address = new URL('./parts/add.wasm', import.meta.url);

export default async () => {
  const streamed = await WebAssembly.instantiateStreaming(fetch(address));
  const whole = await WebAssembly.instantiate(await (await fetch(address)).arrayBuffer());
  return [streamed.instance.exports.add(2, 3), whole.instance.exports.add(40, 2)];
};
