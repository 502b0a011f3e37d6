// Talking to the page's endpoints.

const token = () => document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";

/** An answer that is not what was asked for: a sentence, and the field that it is about. */
export class Problem extends Error {
  constructor(message, { field = "", status = 0, signedOut = false, body = {} } = {}) {
    super(message);
    Object.assign(this, { field, status, signedOut, body });
  }
}

async function ask(url, options) {
  let response;
  try {
    response = await fetch(url, { credentials: "same-origin", signal: AbortSignal.timeout(20_000), ...options });
  } catch {
    throw new Problem("Oven does not answer.");
  }
  if (response.redirected) throw new Problem("You have been signed out.", { signedOut: true });
  const body = await response.json().catch(() => null);
  if (response.ok && body) return body;
  if (response.status === 403 && !body) throw new Problem("This page is too old: load it again.", { status: 403 });
  const { error = `Oven failed (${response.status}).`, field = "" } = body ?? {};
  throw new Problem(error, { field, status: response.status, body: body ?? {} });
}

/** `fields` become the query; empty ones are left out. */
export function get(url, fields = {}) {
  const query = new URLSearchParams(Object.entries(fields).filter(([, value]) => value !== ""));
  return ask(query.size ? `${url}?${query}` : url, { headers: { Accept: "application/json" }, cache: "no-store" });
}

export const post = (url, fields = {}) =>
  ask(url, { method: "POST", headers: { Accept: "application/json", "X-CSRFToken": token() }, body: new URLSearchParams(fields) });

/** An address that may be followed or shown; "" for anything but http(s). */
export function safe(url) {
  if (!url) return "";
  try {
    const parsed = new URL(url, location.href);
    return ["http:", "https:"].includes(parsed.protocol) ? parsed.href : "";
  } catch {
    return "";
  }
}

/** The same as this page reaches it: files of this host, whatever name it is called by. */
export function near(url) {
  const href = safe(url);
  if (!href) return "";
  const { pathname, search } = new URL(href);
  return /^\/files\/(art|blobs)\//.test(pathname) ? pathname + search : href;
}

/** An address with its parts filled in: `fill("/live/job/{id}", { id })`. */
export const fill = (url, parts) => url.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(parts[name]));
