import { once } from "node:events";
import type { Server as Sockets } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer, upgradeWebSocket } from "@hono/node-server";
import { InputError } from "../index.js";
import { createWebSocketServer } from "../node/websocket.js";
import type { OpenEnvServer, Server } from "../serve/index.js";

/** Limits of connections. Times are in milliseconds. Defaults are in parentheses. */
export interface ConnectionLimits {
  /** Maximum time to receive the headers of a request (10,000). */
  headersTimeout?: number;
  /** Maximum time to receive a whole request (60,000). */
  requestTimeout?: number;
  /** Maximum time without data in either direction during a request (660,000). */
  idleTimeout?: number;
  /**
   * Maximum time between two requests on one connection (75,000). It must be longer than the 60 s for which many proxies keep idle
   * connections. If the server closed such a connection first, the proxy would respond with 502.
   */
  keepAliveTimeout?: number;
  /** Maximum number of simultaneous connections (1024). */
  connections?: number;
}

/** The address of a server. */
export interface ListenOptions {
  /** Port number. 0 chooses a free port. */
  port: number;
  /** Address of the network interface (default: "127.0.0.1", which only this machine can reach). */
  host?: string;
}

/** A listening server. */
export interface Listening {
  readonly url: string;
  readonly port: number;
  /** Stops gracefully: refuses new connections and requests, waits at most `graceMs` milliseconds for running requests, and then closes. */
  close(graceMs: number): Promise<void>;
}

/**
 * Serves HTTP on a port of this machine, and WebSockets if the server has them. The process keeps running until `close` is called.
 *
 * @throws {InputError} the port is in use, or the address does not belong to this machine
 */
export async function listen(
  server: Server | OpenEnvServer,
  { port, host = "127.0.0.1" }: ListenOptions,
  {
    headersTimeout = 10_000,
    requestTimeout = 60_000,
    idleTimeout = 660_000,
    keepAliveTimeout = 75_000,
    connections = 1024,
  }: ConnectionLimits = {},
): Promise<Listening> {
  const serverOptions = {
    headersTimeout,
    requestTimeout,
    keepAliveTimeout,
    maxHeaderSize: 16_384,
    connectionsCheckingInterval: Math.min(1000, headersTimeout),
  };
  const adaptor =
    "maxMessageBytes" in server
      ? {
          fetch: (request: Request, env: object) => server.fetch(request, Object.assign(env, { upgradeWebSocket })),
          websocket: { server: await createWebSocketServer(server.maxMessageBytes) },
        }
      : { fetch: server.fetch };
  const sockets = createAdaptorServer({ ...adaptor, serverOptions }) as Sockets;
  sockets.setTimeout(idleTimeout);
  sockets.maxConnections = connections;
  sockets.listen(port, host);
  try {
    await once(sockets, "listening");
  } catch (cause) {
    throw new InputError(
      `serve: ${host}:${port}: cannot listen (expected a free port of this machine, got: ${(cause as Error).message}). Choose another port or host.`,
      { cause },
    );
  }
  const { port: taken, family, address } = sockets.address() as AddressInfo;
  return {
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${taken}`,
    port: taken,
    async close(graceMs) {
      const closed = once(sockets, "close");
      sockets.close();
      await server.drain(graceMs);
      // Responses are flushed in the next turns of the event loop. Clients that have not read them by the timeout are disconnected.
      const timer = setTimeout(() => sockets.closeAllConnections(), LINGER_MS);
      sockets.closeIdleConnections();
      await closed;
      clearTimeout(timer);
    },
  };
}

/** Time in milliseconds that clients get to read the rest of their responses when the server stops. */
const LINGER_MS = 500;
