// Modules that import each other, and the script that starts them: by name, by default, and all at once.

import * as other from './ring-b.mjs';

export default class Leaf { name() { return other.named(this); } }
export const grow = (n) => (n ? other.shrink(n - 1) + 'a' : '');
export const label = 'leaf';
