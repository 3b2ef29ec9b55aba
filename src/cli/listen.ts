import { once } from "node:events";
import type { Server as Sockets } from "node:http";
import type { AddressInfo } from "node:net";
import { createAdaptorServer } from "@hono/node-server";
import { InputError } from "../index.js";
import type { Server } from "../serve/index.js";

/** What connections may take; times in milliseconds. */
export interface ConnectionLimits {
  /** For a request's head, and for all of it. */
  headersTimeout?: number;
  requestTimeout?: number;
  /** Without anything sent or received while a request is under way. */
  idleTimeout?: number;
  /** Between two requests on one connection. Proxies keep idle connections for 60 s; a server that closes them first answers 502 through the proxy. */
  keepAliveTimeout?: number;
  connections?: number;
}

/** A server on a port. */
export interface Listening {
  readonly url: string;
  readonly port: number;
  /** Takes no new connections and requests, lets those under way end for at most so long, and closes. */
  close(graceMs: number): Promise<void>;
}

/** @throws {InputError} a port or host that cannot be had */
export async function listen(
  server: Server,
  { port, host }: { readonly port: number; readonly host: string },
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
    throw new InputError(`serve: ${host}:${port}: expected a free port of this machine, got: ${(cause as Error).message}`, { cause });
  }
  const { port: taken, family, address } = sockets.address() as AddressInfo;
  return {
    url: `http://${family === "IPv6" ? `[${address}]` : address}:${taken}`,
    port: taken,
    async close(graceMs) {
      const closed = once(sockets, "close");
      sockets.close();
      await server.drain(graceMs);
      // What answers have written leaves with the next turns of the event loop; whoever has not read it by then is not waited for.
      const timer = setTimeout(() => sockets.closeAllConnections(), LINGER_MS);
      sockets.closeIdleConnections();
      await closed;
      clearTimeout(timer);
    },
  };
}

/** For a client to read the rest of its answer when the server stops. */
const LINGER_MS = 500;
