export const a = 1, hidden = 3;
export { hidden as 'a name with spaces' };
export let later = 'before';
later = 'after';
export * from './odd.mjs';
export default function () { return `default ${typeof arguments}`; }
