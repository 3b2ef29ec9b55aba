import { once } from "node:events";
import type { Server as Sockets } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { InputError } from "../index.js";
import type { Server } from "../serve/index.js";

/** Limits of connections; times in milliseconds. */
export interface ConnectionLimits {
  /** Longest time for a request's headers (10,000). */
  headersTimeout?: number;
  /** Longest time for a whole request (60,000). */
  requestTimeout?: number;
  /** Longest time without data in either direction while a request is under way (660,000). */
  idleTimeout?: number;
  /**
   * Longest time between two requests on one connection (75,000). Proxies keep idle connections for 60 s: if the server
   * closed them first, the proxy would answer 502.
   */
  keepAliveTimeout?: number;
  /** Most connections at a time (1024). */
  connections?: number;
}

/** Where a server listens. */
export interface ListenOptions {
  /** 0 takes a free port. */
  port: number;
  /** The address of the network interface ("127.0.0.1": this machine only). */
  host?: string;
}

/** A server on a port. */
export interface Listening {
  readonly url: string;
  readonly port: number;
  /** Stops gracefully: refuses new connections and requests, gives those under way at most this time, and closes. */
  close(graceMs: number): Promise<void>;
}

/**
 * Serves on a port of this machine over HTTP. The process keeps running until `close`.
 *
 * @throws {InputError} the port is taken, or the address is not one of this machine
 */
export async function listen(
  server: Server,
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
  const sockets = createAdaptorServer({ fetch: server.fetch, serverOptions }) as Sockets;
  sockets.setTimeout(idleTimeout);
  sockets.maxConnections = connections;
  sockets.listen(port, host);
  try {
    await once(sockets, "listening");
  } catch (cause) {
    throw new InputError(
      `serve: ${host}:${port}: expected a free port of this machine, got: ${(cause as Error).message}. Choose another port or host.`,
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
      // Answers leave with the next turns of the event loop; clients that have not read them by then are disconnected.
      const timer = setTimeout(() => sockets.closeAllConnections(), LINGER_MS);
      sockets.closeIdleConnections();
      await closed;
      clearTimeout(timer);
    },
  };
}

/** Time for clients to read the rest of their answers when the server stops. */
const LINGER_MS = 500;
