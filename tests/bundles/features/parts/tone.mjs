import { level } from './level.mjs';

class Tone extends AudioWorkletProcessor {
  process(_, [[channel]]) {
    channel.fill(level);
    return true;
  }
}
registerProcessor('tone', Tone);
