// What a bundle's modules find in place of the site: in the page, and again in each of its workers.
//
// One function without free names, so that its own text can be the start of a worker's script. `pack` holds
//   files    path -> {content, type (the extension), binary}
//   workers  path of a script -> {modules (each after what it imports, if possible), files, rings}
//   cuts     path of a module -> [start, end, key, dynamic][]: where its imports' keys lie in its text
//   exports  path of a module that others in a worker import before its turn -> what it exports
//   site     {aliases, origins} of the source tree
//   run      in a worker: {entry, modules}: what to start, and which of the files are its modules
//   answer   in the page: what the site's API would answer, if anything
(function kernel(scope, pack) {
  'use strict';
  const HOME = 'https://bundle.invalid/'; // nothing is ever asked of it; it makes paths into addresses
  const TYPES = {
    js: 'text/javascript', mjs: 'text/javascript', cjs: 'text/javascript', json: 'application/json', css: 'text/css',
    wasm: 'application/wasm', svg: 'image/svg+xml', png: 'image/png', jpg: 'image/jpeg', jpeg: 'image/jpeg',
    gif: 'image/gif', webp: 'image/webp', avif: 'image/avif', woff2: 'font/woff2', woff: 'font/woff',
    ttf: 'font/ttf', otf: 'font/otf', mp3: 'audio/mpeg', ogg: 'audio/ogg', wav: 'audio/wav', m4a: 'audio/mp4',
    mp4: 'video/mp4', webm: 'video/webm', html: 'text/html', txt: 'text/plain', lisp: 'text/plain', glsl: 'text/plain',
  };
  const EXPECTED_MISS = /\.(svg|css|cur|ttf|otf|woff2?)$|(^|\/)(cursors|fonts?)\//; // the runtime copes without them
  const { files, site } = pack;
  const here = scope.document?.baseURI ?? '';
  const folder = /^(https?|file):/.test(here) ? here.replace(/[?#].*/s, '').replace(/[^/]*$/, '') : '';
  const origins = [HOME.slice(0, -1), ...site.origins];
  if (/^https?:/.test(here)) origins.push(new URL(here).origin);
  const urls = new Map(); // path -> address of a blob
  const paths = new Map(); // and back

  // Paths and addresses -------------------------------------------------------

  const has = (path) => typeof path === 'string' && Object.hasOwn(files, path);

  const decoded = (text) => {
    try {
      return decodeURIComponent(text);
    } catch {
      return text;
    }
  };

  /** The path that an address means on the site, whether it is there or not; null for what lies elsewhere. */
  const locate = (address, from = '') => {
    const text = String(scope.Request && address instanceof scope.Request ? address.url : address);
    if (paths.has(text)) return paths.get(text);
    let url;
    try {
      url = new URL(text, HOME + encodeURI(from));
    } catch {
      return null;
    }
    const beside = folder && url.href.startsWith(folder) ? below(url.href.slice(folder.length)) : null;
    if (has(beside)) return beside;
    const ours = url.protocol === 'file:' || origins.some((origin) => url.href.startsWith(`${origin}/`));
    return ours ? below(url.pathname) : null;
  };

  const below = (text) => decoded(text.replace(/[?#].*$/s, '').replace(/^\/+/, ''));

  const isAddress = (text) => /^[./]|^[a-z][a-z0-9+.-]*:/i.test(text);

  /** What the site's import map would make of a name without a dot or a slash in front. */
  const alias = (name) => {
    if (Object.hasOwn(site.aliases, name)) return site.aliases[name];
    const prefixes = Object.keys(site.aliases).filter((key) => key.endsWith('/') && name.startsWith(key));
    const longest = prefixes.sort((a, b) => b.length - a.length)[0];
    return longest === undefined ? name : site.aliases[longest] + name.slice(longest.length);
  };

  const bytes = ({ content, binary }) => {
    if (!binary) return content;
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(content);
    return Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
  };

  const mime = ({ type }) => TYPES[type] ?? 'application/octet-stream';
  const blob = (file) => new Blob([bytes(file)], { type: mime(file) });

  const keep = (path, url) => {
    urls.set(path, url);
    paths.set(url, path);
    return url;
  };

  /** The address of a file's own blob, made when first asked for. */
  const urlOf = (path) => urls.get(path) ?? keep(path, URL.createObjectURL(blob(files[path])));

  /** What a file is as a module: JSON and style sheets become scripts, as a policy may refuse them where it allows those. */
  const source = (path) => {
    const { content, type, binary } = files[path];
    if (binary) return content;
    if (type === 'json') return `export default JSON.parse(${JSON.stringify(content)})`;
    if (type === 'css') return `const sheet=new CSSStyleSheet;sheet.replaceSync(${JSON.stringify(content)});export default sheet`;
    return content;
  };

  const script = (text) => URL.createObjectURL(new Blob([text], { type: TYPES.js }));

  /** The address to import a file by. */
  const moduleOf = (path) => (/^(json|css)$/.test(files[path].type) ? script(source(path)) : urlOf(path));

  /** A file's own address for what means one, and the address itself for everything else. */
  const local = (address) => {
    const path = locate(address);
    return has(path) ? urlOf(path) : address;
  };

  // What rewritten modules call -----------------------------------------------

  scope.__pack = {
    /** In place of `import.meta`. */
    meta: (path) => ({
      url: HOME + encodeURI(path),
      resolve: (name) => new URL(isAddress(name) ? name : HOME + alias(name), HOME + path).href,
    }),
    /** In place of `new URL('name', import.meta.url)`. */
    url: (path) => (has(path) ? urlOf(path) : HOME + encodeURI(path)),
    /** What to import for a name that only the running module knew. */
    find(name, from) {
      const text = String(name);
      const path = has(text) ? text : locate(isAddress(text) ? text : alias(text), from);
      if (!has(path)) return text;
      return pack.run ? urlOf(path) : path;
    },
    moduleOf,
  };

  // Threads -------------------------------------------------------------------

  /**
   * The addresses of modules whose text has addresses in place of keys: import maps do not reach workers.
   *
   * Where modules import each other, one is needed before its own address can be made. A stand-in with its exports is
   * imported in its place, and filled in as soon as the module itself has run.
   */
  const linked = (modules, addressOfText) => {
    const made = {};
    const standIns = {};
    for (const [path, names] of Object.entries(pack.exports)) {
      if (modules.includes(path)) standIns[path] = addressOfText(standIn(names));
    }
    for (const path of modules) made[path] = addressOfText(addressed(path, made, standIns));
    return { made, standIns };
  };

  const standIn = (names) => {
    const own = names.map((name, i) => [`e${i}`, JSON.stringify(name)]);
    const fill = own.map(([local, name]) => `${local}=m[${name}]`).join(';');
    const declared = own.map(([local]) => `let ${local};`).join('');
    const exported = own.map(([local, name]) => `${local} as ${name}`);
    return `${declared}export function fill$(m){${fill}}export{${exported}}`;
  };

  const addressed = (path, made, standIns) => {
    let text = source(path);
    let filling = '';
    for (const [start, end, key, dynamic] of [...(pack.cuts[path] ?? [])].reverse()) {
      const put = dynamic ? `__pack.find(${JSON.stringify(key)},"")` : made[key] ?? standIns[key] ?? key;
      text = text.slice(0, start) + put + text.slice(end);
      if (!dynamic && made[key] && standIns[key]) {
        const n = filling.length;
        const [own, other] = [made[key], standIns[key]].map((url) => JSON.stringify(url));
        filling += `import*as m$${n} from${own};import{fill$ as f$${n}}from${other};f$${n}(m$${n});`;
      }
    }
    return /^#!/.test(text) ? text.replace('\n', `\n${filling}`) : filling + text;
  };

  /** A script that prepares a worker as this page was prepared. Blobs of an opaque origin can be imported in the
   * thread that made them and in no other, so it carries the texts and not their addresses. */
  const prelude = (entry, plan) => {
    const { workers, cuts, exports } = pack;
    const inner = { site, workers, cuts, exports, run: { entry, modules: plan.modules }, files: {} };
    for (const path of [...plan.modules, ...plan.files]) inner.files[path] = files[path];
    return `(${kernel})(globalThis,${JSON.stringify(inner)});\n`;
  };

  /** Always a classic script: in an opaque origin a worker may import modules, but not be one. */
  const startable = (address, module) => {
    const path = locate(address);
    if (!has(path)) return address;
    const plan = pack.workers[path] ?? { modules: [path], files: [] };
    return script(prelude(path, plan) + (module ? '__pack.run();' : files[path].content));
  };

  /** Worklets make no blobs, and in an opaque origin read none: there they get data, which a strict policy refuses. */
  const workletScript = (address) => {
    const path = locate(address);
    if (!has(path)) return address;
    const data = (text) => `data:${TYPES.js},${encodeURIComponent(text).replaceAll("'", '%27')}`;
    const { modules } = pack.workers[path] ?? { modules: [path] };
    return linked(modules, scope.origin === 'null' ? data : script).made[path];
  };

  /** What is imported by name of a module with a stand-in: nobody else may be there to fill it in. */
  const front = (path, url, standIn) => {
    const [own, other] = [url, standIn].map((text) => JSON.stringify(text));
    const names = pack.exports[path].map((name) => JSON.stringify(name));
    return `import*as m from${own};import{fill$}from${other};fill$(m);export{${names}}from${own};`;
  };

  const makeModules = () => {
    const { made, standIns } = linked(pack.run.modules, script);
    for (const [path, url] of Object.entries(made)) {
      keep(path, standIns[path] ? script(front(path, url, standIns[path])) : url);
    }
  };

  /** Starts the worker's own module. What is sent to it before it listens is kept, and told again. */
  scope.__pack.run = async () => {
    const early = [];
    const hold = (event) => {
      event.stopImmediatePropagation();
      early.push(event);
    };
    const kinds = ['message', 'connect'];
    for (const kind of kinds) scope.addEventListener(kind, hold);
    try {
      await import(urls.get(pack.run.entry));
    } catch (error) {
      setTimeout(() => {
        throw error; // so that the page's `onerror` hears of it
      });
    }
    for (const kind of kinds) scope.removeEventListener(kind, hold);
    for (const { type, data, ports, origin, source } of early) {
      scope.dispatchEvent(new MessageEvent(type, { data, ports: [...ports], origin, source }));
    }
  };

  for (const kind of ['Worker', 'SharedWorker']) {
    if (!scope[kind]) continue;
    scope[kind] = class extends scope[kind] {
      constructor(address, options) {
        const own = startable(address, options?.type === 'module');
        super(own, own === address ? options : { ...options, type: 'classic' });
      }
    };
  }

  if (scope.Worklet) {
    const { addModule } = scope.Worklet.prototype;
    scope.Worklet.prototype.addModule = function (address, options) {
      return addModule.call(this, workletScript(address), options);
    };
  }

  if (scope.importScripts) {
    const { importScripts } = scope;
    scope.importScripts = (...addresses) => importScripts.apply(scope, addresses.map(local));
  }

  // Requests ------------------------------------------------------------------

  const json = (value, status) => new Response(JSON.stringify(value), { status, headers: { 'content-type': TYPES.json } });

  /** The site's answer to a request for one of its paths. */
  const respond = (path, address) => {
    if (has(path)) {
      const body = blob(files[path]);
      return new Response(body, { headers: { 'content-type': body.type, 'content-length': String(body.size) } });
    }
    const known = pack.answer?.(path, String(address?.url ?? address));
    if (known) return known.file ? respond(known.file) : json(known.body, known.status);
    if (EXPECTED_MISS.test(path)) return new Response('');
    return json({ error: `${path} is not in this bundle` }, 404);
  };

  if (scope.Request) {
    scope.Request = class extends scope.Request {
      constructor(address, options) {
        const path = address instanceof Request ? null : locate(address);
        super(path === null ? address : HOME + encodeURI(path) + (/[?].*/s.exec(String(address))?.[0] ?? ''), options);
      }
    };
  }

  if (scope.fetch) {
    const { fetch } = scope;
    scope.fetch = async (address, options) => {
      const path = locate(address);
      if (path === null) return fetch.call(scope, address, options);
      return Object.defineProperty(respond(path, address), 'url', { value: HOME + encodeURI(path) });
    };
  }

  if (scope.XMLHttpRequest) {
    const Native = scope.XMLHttpRequest;
    const show = (request, values) => {
      for (const [name, value] of Object.entries(values)) Object.defineProperty(request, name, { value, configurable: true });
    };
    scope.XMLHttpRequest = class extends Native {
      #path = null;
      #address = '';
      #answer = null;

      open(method, address, ...rest) {
        this.#path = locate(address);
        this.#address = String(address);
        if (this.#path === null) super.open(method, address, ...rest);
        else super.open('GET', HOME, true);
      }

      send(body) {
        if (this.#path === null) super.send(body);
        else this.#finish(respond(this.#path, this.#address));
      }

      async #finish(answer) {
        this.#answer = answer;
        const data = await answer.arrayBuffer();
        const text = new TextDecoder().decode(data);
        show(this, { readyState: 4, status: answer.status, statusText: '', responseURL: HOME + encodeURI(this.#path) });
        show(this, { response: this.#as(data, text), ...(/^(text)?$/.test(this.responseType) && { responseText: text }) });
        const told = { lengthComputable: true, loaded: data.byteLength, total: data.byteLength };
        this.dispatchEvent(new Event('readystatechange'));
        for (const type of ['load', 'loadend']) this.dispatchEvent(new ProgressEvent(type, told));
      }

      #as(data, text) {
        if (this.responseType === 'arraybuffer') return data;
        if (this.responseType === 'blob') return new Blob([data], { type: this.getResponseHeader('content-type') });
        if (this.responseType !== 'json') return text;
        try {
          return JSON.parse(text);
        } catch {
          return null;
        }
      }

      getResponseHeader(name) {
        return this.#answer ? this.#answer.headers.get(name) : super.getResponseHeader(name);
      }

      getAllResponseHeaders() {
        if (!this.#answer) return super.getAllResponseHeaders();
        return [...this.#answer.headers].map(([name, value]) => `${name}: ${value}\r\n`).join('');
      }
    };
  }

  if (scope.FontFace) {
    scope.FontFace = class extends scope.FontFace {
      constructor(family, source, descriptors) {
        const path = typeof source === 'string' ? locate(/url\(\s*["']?([^"')]+)/.exec(source)?.[1] ?? 'data:,') : null;
        super(family, has(path) ? bytes(files[path]).buffer ?? source : source, descriptors);
      }
    };
  }

  // Elements that load something by an attribute ------------------------------

  for (const [kind, name] of [
    ['HTMLImageElement', 'src'], ['HTMLMediaElement', 'src'], ['HTMLSourceElement', 'src'], ['HTMLScriptElement', 'src'],
    ['HTMLLinkElement', 'href'], ['SVGImageElement', 'href'],
  ]) {
    const prototype = scope.document && scope[kind]?.prototype;
    const own = prototype && Object.getOwnPropertyDescriptor(prototype, name);
    if (own?.set) Object.defineProperty(prototype, name, { ...own, set(value) { own.set.call(this, local(value)); } });
  }
  if (scope.Element) {
    const { setAttribute } = scope.Element.prototype;
    scope.Element.prototype.setAttribute = function (name, value) {
      const loads = /^(src|href)$/i.test(name) && this.localName !== 'a';
      setAttribute.call(this, name, loads ? local(value) : value);
    };
  }

  if (pack.run) makeModules();
})
