// An audio worklet whose module imports another.

export default async () => {
  const audio = new OfflineAudioContext(1, 256, 44100);
  await audio.audioWorklet.addModule(new URL('./parts/tone.mjs', import.meta.url));
  new AudioWorkletNode(audio, 'tone').connect(audio.destination);
  const made = await audio.startRendering();
  return [...made.getChannelData(0).slice(0, 8)].map((value) => value.toFixed(4));
};
