// The page's only script: unpacks the two payloads, puts up the page, and starts the runtime.
//
// A classic script, so that the import map is there before any module; no fetch and no document.write, so that it runs
// from a file, in a sandbox, and under a policy that allows inline scripts and blobs and nothing else.

const part = (name) => {
  const element = document.querySelector(`script[data-pack="${name}"]`);
  element.remove();
  return element;
};

/** The text behind a payload: JSON, or gzip in base64. */
const unpacked = async ({ type, textContent }) => {
  if (type === 'application/json') return textContent;
  const binary = Uint8Array.fromBase64?.(textContent) ?? Uint8Array.from(atob(textContent), (c) => c.charCodeAt(0));
  return new Response(new Blob([binary]).stream().pipeThrough(new DecompressionStream('gzip'))).text();
};

const sheetOf = (text) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  return sheet;
};

/** Styles set by script are no business of the policy's: those it turned away are put up that way. */
const adoptStyles = () => {
  document.addEventListener('securitypolicyviolation', ({ effectiveDirective, target }) => {
    if (!effectiveDirective.startsWith('style-src') || !(target instanceof HTMLStyleElement)) return;
    const root = target.getRootNode();
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheetOf(target.textContent)];
  });
};

/** Style sheets of the site are not there; asking for them would only be a failed request. */
const dropSheets = () => {
  const own = ({ href }) => /^(blob|data):/.test(href);
  const strays = (node) => node instanceof HTMLLinkElement && /stylesheet|preload/.test(node.rel) && !own(node);
  const { appendChild } = Node.prototype;
  const { append } = Element.prototype;
  Node.prototype.appendChild = function (node) {
    return strays(node) ? node : appendChild.call(this, node);
  };
  Element.prototype.append = function (...nodes) {
    append.apply(this, nodes.filter((node) => !strays(node)));
  };
};

/** What the site's two look-ups would answer. */
const apiOf = ({ programsApi, picturesApi, mediaPath, programs, pictures }) => (path, address) => {
  const code = (new URLSearchParams(address.split('?')[1]).get('code') ?? '').replace(/^[$#]/, '');
  if (path === programsApi) {
    if (!Object.hasOwn(programs, code)) return { status: 404, body: { error: 'no such program' } };
    return { body: { source: programs[code] } };
  }
  if (path === picturesApi) {
    if (!Object.hasOwn(pictures, code)) return { status: 404, body: { error: 'no such painting' } };
    return { body: { handle: pictures[code].handle, slug: pictures[code].slug } };
  }
  if (!path.startsWith(mediaPath)) return null;
  const found = Object.values(pictures).find(({ slug }) => slug && path.endsWith(`/${slug}.png`));
  return found && { file: found.path };
};

/** Pictures as pixels, by their code with and without its mark. */
const decoded = async (pictures) => {
  const bitmaps = {};
  await Promise.all(Object.entries(pictures).map(async ([code, { path }]) => {
    const image = await createImageBitmap(await (await fetch(`/${path}`)).blob());
    const context = new OffscreenCanvas(image.width, image.height).getContext('2d');
    context.drawImage(image, 0, 0);
    const { width, height, data: pixels } = context.getImageData(0, 0, image.width, image.height);
    bitmaps[code] = bitmaps[`#${code}`] = { width, height, pixels };
  }));
  return bitmaps;
};

const putUp = ({ style, body }) => {
  document.adoptedStyleSheets = [sheetOf(style)];
  document.body.insertAdjacentHTML('afterbegin', body);
};

/** A browser asks the server for an icon unless told otherwise; where no policy minds, it is told. */
const dropIcon = () => {
  if (!location.protocol.startsWith('http')) return;
  const icon = document.createElement('link');
  Object.assign(icon, { rel: 'icon', href: 'data:,' });
  document.head.append(icon);
};

const mapImports = (files) => {
  const imports = {};
  for (const path of Object.keys(files)) {
    if (/\.(m?js|cjs|json|css)$/.test(path)) imports[path] = __pack.moduleOf(path);
  }
  const element = document.createElement('script');
  element.type = 'importmap';
  element.textContent = JSON.stringify({ imports });
  document.head.append(element);
  return imports;
};

const setGlobals = ({ globals, facts, names }) => {
  Object.assign(window, globals);
  window[names.date] = facts.date;
  window[names.git] = facts.git;
  const { piece } = globals[names.colophon];
  window[names.colophon] = { piece, build: facts.build };
};

const decodePictures = async ({ pictures }, { bitmaps, decoding, ready }) => {
  window[decoding] = decoded(pictures);
  window[bitmaps] = await window[decoding];
  window[ready] = true;
};

const say = (text) => {
  document.body.textContent = text;
};

const boot = async (entry, urls) => {
  try {
    await import(urls[entry]);
  } catch (error) {
    say(`Boot failed: ${error?.message ?? error}`);
    throw error;
  }
};

const start = async () => {
  const texts = await Promise.all(['core', 'piece'].map((name) => unpacked(part(name))));
  const [core, piece] = texts.map((text) => JSON.parse(text));
  const facts = JSON.parse(part('facts').textContent);
  const files = { ...core.files, ...piece.files };
  const workers = { ...core.workers, ...piece.workers };
  dropIcon();
  adoptStyles();
  dropSheets();
  setGlobals({ ...piece, facts });
  const cuts = { ...core.cuts, ...piece.cuts };
  const exports = { ...core.exports, ...piece.exports };
  kernel(window, { files, workers, cuts, exports, site: core.site, answer: apiOf(piece.api) });
  putUp(piece);
  const urls = mapImports(files);
  const scripts = Object.entries(urls).filter(([path]) => /\.m?js$/.test(path));
  const modulePaths = scripts.map(([path]) => path);
  Object.assign(window, { VFS: files, VFS_BLOB_URLS: Object.fromEntries(scripts), modulePaths });
  await decodePictures(piece.api, piece.names);
  return () => boot(piece.boot, urls);
};

start().then(
  (run) => run(),
  (error) => {
    say(`Bundle error: ${error?.message ?? error}`);
    throw error;
  },
);
