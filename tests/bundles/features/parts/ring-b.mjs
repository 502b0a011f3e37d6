import Leaf, { grow, label } from './ring-a.mjs';
import { own } from './ring.mjs';

export * from './odd.mjs';
export const named = (leaf) => `${label} of ${own} ${leaf instanceof Leaf}`;
export function shrink(n) { return n ? grow(n - 1) + 'b' : ''; }
