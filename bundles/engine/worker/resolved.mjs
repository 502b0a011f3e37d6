// From the text of an import to a file's path below the root of the source tree.

const SCHEME = /^[a-z][a-z0-9+.-]*:/i;

/**
 * @typedef {object} Site
 * @property {Record<string, string>} aliases bare names, or prefixes ending in a slash, and what they stand for
 * @property {string[]} origins addresses that mean the root of the tree, without a slash at the end
 */

/**
 * The path that a specifier means in a module, or why it means none: `climbs`, `foreign` or `bare`.
 * @param {string} specifier
 * @param {string} importer path of the module, or empty for the page
 * @param {Site} site
 * @returns {{path: string, why: string}}
 */
export function resolved(specifier, importer, site) {
  const origin = site.origins.find((start) => specifier === start || specifier.startsWith(`${start}/`));
  if (origin) return below(specifier.slice(origin.length));
  if (SCHEME.test(specifier) || specifier.startsWith('//')) return { path: '', why: 'foreign' };
  if (specifier.startsWith('/')) return below(specifier);
  if (/^\.\.?(\/|$)/.test(specifier)) return below(importer ? `${importer}/../${specifier}` : specifier);
  return aliased(specifier, site.aliases);
}

/** Join the parts of a path; query and fragment name no file. @param {string} text */
function below(text) {
  const parts = [];
  for (const part of text.replace(/[?#].*$/s, '').split('/')) {
    if (part === '..' && parts.pop() === undefined) return { path: '', why: 'climbs' };
    if (part !== '..' && part !== '.' && part !== '') parts.push(decoded(part));
  }
  return { path: parts.join('/'), why: '' };
}

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part).replaceAll('/', '%2F');
  } catch {
    return part;
  }
}

/**
 * As an import map does: the whole name, else the longest prefix.
 * @param {string} name
 * @param {Record<string, string>} aliases
 */
function aliased(name, aliases) {
  if (Object.hasOwn(aliases, name)) return below(aliases[name]);
  const prefixes = Object.keys(aliases).filter((key) => key.endsWith('/') && name.startsWith(key));
  const longest = prefixes.sort((a, b) => b.length - a.length)[0];
  if (longest === undefined) return { path: '', why: 'bare' };
  return below(aliases[longest] + name.slice(longest.length));
}
