import { type Context, Hono } from "hono";
import { version } from "../../../package.json";
import type { ServedEnvironmentInfo } from "../../environments/open-env/protocol.js";
import { normalizedPath, requireHost } from "../addresses.js";
import { clientOf, requireApiKey } from "../authentication.js";
import { corsMiddleware, isAllowedOrigin, parseOrigins } from "../cors.js";
import { HttpError } from "../http-error.js";
import { readJsonBody } from "../request-body.js";
import { parseGraceMs } from "../serve-options.js";
import { ACTION_SCHEMA, OBSERVATION_SCHEMA, parseAction, STATE_SCHEMA } from "./actions.js";
import { EpisodeTable } from "./episode-table.js";
import { OpenEnvError, toOpenEnvError } from "./open-env-error.js";
import {
  expectServed,
  type OpenEnvOptions,
  type OpenEnvSettings,
  parseOpenEnvOptions,
  type ServedEnvironment,
  type UpgradeWebSocket,
} from "./open-env-options.js";

import { parseClose, parseReset, parseStep } from "./reset-request.js";
import { SocketSession } from "./socket-session.js";

/** What a platform adds to a request. */
interface PlatformEnv {
  readonly upgradeWebSocket?: UpgradeWebSocket;
}

const METHODS: Readonly<Record<string, string>> = {
  "/health": "GET",
  "/metadata": "GET",
  "/schema": "GET",
  "/state": "GET",
  "/ws": "GET",
  "/reset": "POST",
  "/step": "POST",
  "/close": "POST",
};

/**
 * Serves environments over OpenEnv's HTTP interface, so that other programs train on them. `fetch` takes a `Request` and returns a
 * `Response`, on any platform.
 *
 * Each WebSocket connection has an episode of its own. Plain HTTP clients name their episode by the `episode_id` that a reset returns.
 * Rewards are computed here, when an episode is over.
 */
export class OpenEnvServer {
  private readonly settings: OpenEnvSettings;
  private readonly environments: readonly ServedEnvironment[];
  private readonly table: EpisodeTable;
  private readonly routes: Hono;

  /**
   * Creates a server.
   *
   * @throws {InputError} no environments, equal names, an environment without rows, or an invalid option
   */
  constructor(environments: readonly ServedEnvironment[], options: OpenEnvOptions = {}) {
    this.settings = parseOpenEnvOptions(options);
    expectServed(environments, this.settings.acceptRows);
    this.environments = [...environments];
    this.table = new EpisodeTable(this.settings);
    this.routes = this.createRoutes();
  }

  /** Responds to a request. The promise never rejects. @param env what the platform adds; on Node, `listen` fills it in */
  readonly fetch = (request: Request, env?: unknown): Response | Promise<Response> => this.routes.fetch(request, env as object);

  /** Number of connections, and of running episodes of plain HTTP clients. */
  get active(): number {
    return this.table.active;
  }

  /** Maximum number of bytes of a WebSocket message. */
  get maxMessageBytes(): number {
    return this.settings.maxBodyBytes;
  }

  /**
   * Refuses new episodes, waits up to `graceMs` for running ones to end, and then throws them away.
   *
   * @throws {InputError} an invalid time; the server then continues as before
   */
  async drain(graceMs: number): Promise<void> {
    await this.table.drain(parseGraceMs(graceMs));
  }

  private createRoutes(): Hono {
    const { settings, table, environments } = this;
    const keys = [settings.apiKey].flat();
    const origins = parseOrigins([settings.cors].flat());
    // Ids of clients with different keys do not collide.
    const clientKey = (c: Context) => (keys.length > 0 ? clientOf(c, keys) : "");
    const body = (c: Context) => readJsonBody(c.req.raw, settings.maxBodyBytes);
    const app = new Hono({ getPath: normalizedPath });
    app.onError((error) => this.errorResponse(error));
    app.notFound((c) => {
      const known = Object.keys(METHODS).join(", ");
      return this.errorResponse(new HttpError(404, "not_found", `${c.req.method} ${c.req.path}: unknown path (expected ${known})`));
    });
    app.use(requireHost(settings.hosts));
    app.use(corsMiddleware(origins, () => {}));
    app.get("/health", (c) => {
      table.expectAccepting();
      return c.json({ status: "healthy" });
    });
    app.use(requireApiKey(keys));
    app.get("/metadata", (c) => c.json(this.metadata()));
    app.get("/schema", (c) => c.json({ action: ACTION_SCHEMA, observation: OBSERVATION_SCHEMA, state: STATE_SCHEMA }));
    app.get("/state", async (c) => {
      const id = c.req.query("episode_id");
      if (id !== undefined) return c.json(await table.use(clientKey(c), id, ({ state }) => state));
      return c.json({ episode_id: null, step_count: 0, active_sessions: table.active, max_sessions: settings.maxEpisodes });
    });
    app.post("/reset", async (c) => {
      const given = hasBody(c) ? await body(c) : {};
      return c.json(await table.reset(clientKey(c), parseReset(given, environments, settings.acceptRows)));
    });
    app.post("/step", async (c) => {
      const { action, id, ...options } = parseStep(await body(c));
      const parsed = parseAction(action);
      return c.json(await table.use(clientKey(c), id, (episode) => episode.step(parsed, options)));
    });
    app.post("/close", async (c) => {
      await table.close(clientKey(c), parseClose(await body(c)));
      return c.json({});
    });
    app.get("/ws", (c, next) => {
      // Browsers do not apply CORS to WebSockets, so that any page could connect.
      if (!isAllowedOrigin(c.req.header("origin"), origins, c.req.url)) {
        throw new HttpError(403, "unknown_origin", "origin: this server does not accept WebSockets of this page");
      }
      if (c.req.header("upgrade")?.toLowerCase() !== "websocket") {
        throw new OpenEnvError("VALIDATION_ERROR", 422, "upgrade: expected a request for a WebSocket, got another one");
      }
      const upgrade = (c.env as PlatformEnv | undefined)?.upgradeWebSocket ?? settings.upgradeWebSocket;
      if (!upgrade) throw new OpenEnvError("SESSION_ERROR", 501, "this server has no WebSockets; use POST /reset and /step");
      return upgrade(() => {
        let session: SocketSession | undefined;
        return {
          onOpen: (_, socket) => {
            session = new SocketSession(socket, table, environments, settings);
          },
          onMessage: ({ data }) => session?.receive(data),
          onClose: () => session?.close(),
        };
      })(c as never, next) as Promise<Response>;
    });
    for (const [path, method] of Object.entries(METHODS)) {
      app.all(path, (c) => {
        const message = `${c.req.method} ${path}: this path does not support ${c.req.method} (expected ${method})`;
        const response = this.errorResponse(new HttpError(405, "method_not_allowed", message));
        response.headers.set("allow", method);
        return response;
      });
    }
    return app;
  }

  private metadata() {
    const { name, description } = this.settings;
    const { environments } = this;
    const first = environments[0]!;
    const served = environments.map(({ environment, rows, description }): ServedEnvironmentInfo => {
      return { name: environment.name, ...(description && { description }), tasks: rows.length, weights: environment.weights ?? {} };
    });
    return {
      name: name ?? (environments.length === 1 ? first.environment.name : "lightning-m1"),
      description: description ?? environments.map(({ environment, description }) => description ?? environment.name).join("; "),
      version,
      author: null,
      documentation_url: null,
      environments: served,
    };
  }

  private errorResponse(cause: unknown): Response {
    if (cause instanceof HttpError && cause.code !== "invalid_json") {
      return Response.json({ detail: cause.message, code: cause.code }, { status: cause.status, headers: cause.headers });
    }
    const error = toOpenEnvError(cause);
    if (error.code === "EXECUTION_ERROR" && !(cause instanceof OpenEnvError)) this.settings.onError(cause);
    const { message, ...fields } = error.data;
    const headers = error.status === 503 ? { "retry-after": "1" } : undefined;
    return Response.json({ detail: message, ...fields }, { status: error.status, headers });
  }
}

/** Whether a request has a body. A reset may come without one. */
function hasBody({ req }: Context): boolean {
  const length = req.header("content-length");
  if (req.raw.body === null || length === "0") return false;
  return [length, req.header("content-type"), req.header("transfer-encoding")].some((header) => header !== undefined);
}
