import type { MiddlewareHandler } from "hono/types";
import { getPath } from "hono/utils/url";
import { HttpError } from "./http-error.js";

/**
 * Normalises the path of a request, because clients join base address and path in several ways. `/v1//models` and `/v1/models/` become
 * `/v1/models`.
 */
export function normalizedPath(request: Request): string {
  return getPath(request)
    .replace(/\/{2,}/g, "/")
    .replace(/(.)\/$/, "$1");
}

/** Creates a middleware that refuses requests to other host names. @param hosts accepted names; undefined accepts all */
export function requireHost(hosts: readonly string[] | undefined): MiddlewareHandler {
  return async (c, next) => {
    const { hostname } = new URL(c.req.url);
    if (hosts && !hosts.includes(hostname)) {
      throw new HttpError(403, "unknown_host", `host: this server has no name ${hostname} (expected ${hosts.join(" or ")})`);
    }
    await next();
  };
}
