import type { Context } from "hono";
import type { MiddlewareHandler } from "hono/types";
import { timingSafeEqual } from "hono/utils/buffer";
import { HttpError } from "./http-error.js";

/**
 * Creates a middleware that refuses requests without one of these bearer tokens. They are compared in constant time. Without keys, every
 * request is accepted.
 */
export function requireApiKey(keys: readonly string[]): MiddlewareHandler {
  return async (c, next) => {
    if (keys.length > 0) {
      const given = bearerToken(c);
      const matches = await Promise.all(keys.map((key) => timingSafeEqual(key, given ?? "")));
      if (given === undefined || !matches.includes(true)) {
        const problem = given ? "the server does not know this API key" : "the API key is missing";
        throw new HttpError(401, "invalid_api_key", `authorization: ${problem} (expected the header "Authorization: Bearer <key>")`);
      }
    }
    await next();
  };
}

/** Returns an identifier of a request's client: its key if the server has keys, otherwise its address if the platform provides it. */
export function clientOf(c: Context, keys: readonly string[]): string {
  if (keys.length > 0) return bearerToken(c) ?? "";
  const env = c.env as { incoming?: { socket?: { remoteAddress?: string } }; remoteAddr?: { hostname?: string } } | undefined;
  return env?.incoming?.socket?.remoteAddress ?? env?.remoteAddr?.hostname ?? "";
}

function bearerToken(c: Context): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(c.req.header("authorization") ?? "")?.[1];
}
