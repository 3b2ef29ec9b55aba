/// <reference path="./ws.d.ts" />
// WebSockets in Node, by the package ws: Node 20 has no client, and no version of Node has a server. `src/io/websocket.ts` is the
// counterpart for pages.

import type { WebSocketServerLike } from "@hono/node-server";
import type { TextSocket, TextSocketOptions } from "../io/websocket.js";

export type { TextSocket, TextSocketOptions };

export const canSendHeaders = true;

/** Time in milliseconds after which a connection is cut if the other side does not answer the request to close it. */
const CLOSE_MS = 2000;

/** Opens a WebSocket. @throws {Error} no connection; the message has neither the address nor headers */
export async function openTextSocket(
  url: string,
  { headers, maxBytes, signal, onMessage, onClose }: TextSocketOptions,
): Promise<TextSocket> {
  const { WebSocket } = await import("ws");
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, { headers, maxPayload: maxBytes, perMessageDeflate: false, followRedirects: false });
    let isOpen = false;
    let failure = "the connection failed";
    const abort = () => {
      reject(signal.reason);
      socket.terminate();
    };
    signal.addEventListener("abort", abort, { once: true });
    const opened = () => signal.removeEventListener("abort", abort);
    socket.on("open", () => {
      isOpen = true;
      opened();
      const close = () => {
        socket.close();
        setTimeout(() => socket.terminate(), CLOSE_MS).unref();
      };
      resolve({ send: (text) => socket.send(text), close });
    });
    socket.on("message", (data, isBinary) => {
      if (!isBinary) onMessage(data.toString("utf8"));
    });
    socket.on("unexpected-response", (_, response) => {
      failure = `the server answered with status ${response.statusCode} instead of opening a WebSocket`;
      opened();
      reject(new Error(failure));
      socket.terminate();
    });
    socket.on("error", (error) => {
      failure = error.message;
      opened();
      reject(new Error(failure, { cause: error }));
    });
    socket.on("close", (code, reason) => {
      opened();
      if (isOpen) onClose(`code ${code}${reason.length > 0 ? `, ${reason.toString("utf8")}` : ""}`);
      else reject(new Error(failure));
    });
  });
}

/** Creates a server of WebSockets for `createAdaptorServer`. @param maxBytes maximum number of bytes of a message */
export async function createWebSocketServer(maxBytes: number): Promise<WebSocketServerLike> {
  const { WebSocketServer } = await import("ws");
  return new WebSocketServer({ noServer: true, maxPayload: maxBytes, perMessageDeflate: false });
}
