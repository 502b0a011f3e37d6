import { isEven } from './even.mjs';
import Leaf, { grow } from './ring-a.mjs';

export const own = 'entry';
onmessage = ({ data }) => postMessage([isEven(data), isEven(10), new Leaf().name(), grow(3)]);
