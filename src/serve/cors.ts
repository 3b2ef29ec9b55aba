import { cors } from "hono/cors";
import type { MiddlewareHandler } from "hono/types";
import { InputError } from "../base/errors.js";
import { parseUrl } from "../base/url.js";

/** Maximum number of distinct refused origins that are reported. */
const MAX_REPORTED_ORIGINS = 100;

/**
 * Parses origins as browsers write them: `scheme://host`, with the port if it is not the scheme's default. `*` stands for all origins, and
 * `null` for pages without an origin (files, sandboxed frames).
 *
 * @param given origins, as a list or separated by commas
 * @throws {InputError} text that cannot be the origin of a page
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
    throw refuse(/^[^\s/]+$/.test(text) ? ` (the scheme is missing: http://${text} or https://${text}?)` : "");
  }
  if (text.includes("*")) throw refuse(" (a wildcard inside an origin is not supported; * alone allows all)");
  const url = parseUrl(text);
  if (url?.protocol === "file:") throw refuse(" (pages loaded from files have the origin null)");
  if (!url?.host) throw refuse("");
  const { protocol, host, pathname, search, hash, username, password, origin } = url;
  if (username || password) throw refuse(" (leave out user name and password)");
  if ((pathname !== "" && pathname !== "/") || search || hash) throw refuse(` (an origin has no path: ${protocol}//${host})`);
  // `URL` gives no origin for non-standard schemes, such as those of browser extensions.
  return origin === "null" ? `${protocol}//${host}` : origin;
}

/** Creates a middleware that allows requests from pages of these origins, and reports other origins. */
export function corsMiddleware(origins: readonly string[], onRefused: (origin: string) => void): MiddlewareHandler {
  const all = origins.includes("*");
  const allow = cors({ origin: all ? "*" : [...origins] });
  const reported = new Set<string>();
  return (c, next) => {
    const origin = c.req.header("origin");
    const allowed = isAllowedOrigin(origin, origins, c.req.url);
    if (origin !== undefined && !allowed && reported.size < MAX_REPORTED_ORIGINS && !reported.has(origin)) {
      reported.add(origin);
      onRefused(origin);
    }
    return origins.length > 0 ? allow(c, next) : next();
  };
}

/** Returns whether a request may come from a page of this origin. @param origin undefined if the client is not a page */
export function isAllowedOrigin(origin: string | undefined, origins: readonly string[], url: string): boolean {
  return origin === undefined || origins.includes("*") || origins.includes(origin) || isSameHost(origin, url);
}

/** Returns whether the page comes from this server. The scheme may differ, because a proxy may terminate TLS. */
function isSameHost(origin: string, url: string): boolean {
  return parseUrl(origin)?.host === new URL(url).host;
}
