import { type Context, Hono } from "hono";
import { normalizedPath, requireHost } from "./addresses.js";
import { requireApiKey } from "./authentication.js";
import { corsMiddleware, parseOrigins } from "./cors.js";
import { HttpError, toHttpError } from "./http-error.js";
import type { Metrics } from "./metrics.js";
import type { RequestHandler } from "./request-handler.js";
import type { RequestRegistry } from "./request-registry.js";
import type { ServeSettings } from "./serve-options.js";

interface RouteTargets {
  readonly settings: ServeSettings;
  /** Maximum number of tokens of the model's context. */
  readonly context: number;
  readonly handler: RequestHandler;
  readonly requests: RequestRegistry;
  readonly metrics: Metrics;
  /** Returns the body of `GET /metrics`. */
  metricsText(): string;
}

/** Creates the server's routes. Checks and error responses apply to all paths: metrics, host names, CORS and API keys. */
export function createRoutes({ settings, context, handler, requests, metrics, metricsText }: RouteTargets): Hono {
  const app = new Hono({ getPath: normalizedPath });
  const { hosts, name, onError } = settings;
  app.use(async (c, next) => {
    await next();
    metrics.countRequest(c.res.status);
  });
  app.onError((error) => errorResponse(error, onError));
  app.notFound((c) => errorResponse(unknownPath(c), onError));
  app.use(requireHost(hosts));
  app.use(corsMiddleware(parseOrigins([settings.cors].flat()), settings.onRefusedOrigin));
  app.get("/health", (c) => {
    requests.expectAccepting();
    return c.json({ status: "ok" });
  });
  app.use(requireApiKey([settings.apiKey].flat()));
  app.get("/metrics", (c) => c.text(metricsText(), 200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }));
  const created = Math.floor(Date.now() / 1000);
  const card = { id: name, object: "model", created, owned_by: "lightning-m1", max_model_len: context };
  app.get("/v1/models", (c) => c.json({ object: "list", data: [card] }));
  app.get("/v1/models/:name", (c) => {
    handler.expectModel(c.req.param("name"));
    return c.json(card);
  });
  app.post("/v1/completions", (c) => handler.completions(c));
  app.post("/v1/chat/completions", (c) => handler.chatCompletions(c));
  for (const path of ["/health", "/metrics", "/v1/models", "/v1/models/:name"]) app.all(path, (c) => wrongMethod(c, "GET", onError));
  for (const path of ["/v1/completions", "/v1/chat/completions"]) app.all(path, (c) => wrongMethod(c, "POST", onError));
  return app;
}

function unknownPath(c: Context): HttpError {
  const known = "/v1/models, /v1/completions, /v1/chat/completions, /health or /metrics";
  return new HttpError(404, "not_found", `${c.req.method} ${c.req.path}: unknown path (expected ${known})`);
}

function wrongMethod(c: Context, expected: string, onError: ServeSettings["onError"]): Response {
  const { method, path } = c.req;
  const response = errorResponse(
    new HttpError(405, "method_not_allowed", `${method} ${path}: this path does not support ${method} (expected ${expected})`),
    onError,
  );
  response.headers.set("allow", expected);
  return response;
}

/** Converts an error to a response. @param onError called with internal errors (status 500) */
function errorResponse(cause: unknown, onError: ServeSettings["onError"]): Response {
  const error = toHttpError(cause);
  if (error.status === 500) onError(cause);
  return Response.json(error.body, { status: error.status, headers: error.headers });
}
