export const lazy = `lazy ${import.meta.url.split('/').pop()}`;
export default class { static #n = 1; static get n() { return this.#n; } }
