import { cors } from "hono/cors";
import type { MiddlewareHandler } from "hono/types";
import { InputError } from "../base/errors.js";

/** Refused origins that are told of: each once, and no more than so many. */
const MAX_REPORTED_ORIGINS = 100;

/**
 * Origins as browsers write them: `scheme://host`, with the port where it is not the scheme's own. `*` is all; `null` is what pages
 * without an origin send (files, sandboxed frames).
 *
 * @param given origins, one by one or separated by commas
 * @throws {InputError} what no page can have for its origin
 */
export function parseOrigins(given: readonly string[]): readonly string[] {
  return given.flatMap((list) => list.split(",")).map((one) => parseOrigin(one.trim()));
}

function parseOrigin(text: string): string {
  if (text === "*" || text === "null") return text;
  const refuse = (remedy: string) =>
    new InputError(
      `serve: cors: expected an origin such as https://example.com or http://127.0.0.1:5173, got ${JSON.stringify(text)}${remedy}`,
    );
  if (!/^[a-z][a-z\d+.-]*:\/\//i.test(text)) {
    throw refuse(/^[^\s/]+$/.test(text) ? ` (a scheme is missing: http://${text} or https://${text}?)` : "");
  }
  if (text.includes("*")) throw refuse(" (only * alone stands for several: for all)");
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "file:") throw refuse(" (pages from files have the origin null)");
  if (!url?.host) throw refuse("");
  const { protocol, host, pathname, search, hash, username, password, origin } = url;
  if (username || password) throw refuse(" (without a user and a password)");
  if ((pathname !== "" && pathname !== "/") || search || hash) throw refuse(` (an origin has no path: ${protocol}//${host})`);
  // Of schemes that the standard does not know, such as those of extensions, `URL` gives none.
  return origin === "null" ? `${protocol}//${host}` : origin;
}

/** Lets pages of these origins ask, and tells of others. */
export function corsMiddleware(origins: readonly string[], onRefused: (origin: string) => void): MiddlewareHandler {
  const all = origins.includes("*");
  const allow = cors({ origin: all ? "*" : [...origins] });
  const told = new Set<string>();
  return (c, next) => {
    const origin = c.req.header("origin");
    const allowed = all || origin === undefined || origins.includes(origin) || isOwn(origin, c.req.url);
    if (!allowed && told.size < MAX_REPORTED_ORIGINS && !told.has(origin)) {
      told.add(origin);
      onRefused(origin);
    }
    return origins.length > 0 ? allow(c, next) : next();
  };
}

/** Whether a page is the server's own, whatever the scheme: a proxy may stand between. */
function isOwn(origin: string, url: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === new URL(url).host;
}
