// The part of the package ws that this library uses. The package has no types.

declare module "ws" {
  import type { IncomingMessage } from "node:http";
  import type { WebSocketServerLike } from "@hono/node-server";

  export class WebSocket {
    constructor(
      url: string,
      options: {
        readonly headers: Readonly<Record<string, string>>;
        readonly maxPayload: number;
        readonly perMessageDeflate: boolean;
        readonly followRedirects: boolean;
      },
    );
    on(event: "open", listener: () => void): this;
    on(event: "message", listener: (data: Buffer, isBinary: boolean) => void): this;
    on(event: "close", listener: (code: number, reason: Buffer) => void): this;
    on(event: "error", listener: (error: Error) => void): this;
    on(event: "unexpected-response", listener: (request: unknown, response: IncomingMessage) => void): this;
    send(text: string): void;
    close(): void;
    terminate(): void;
  }

  interface WebSocketServer extends WebSocketServerLike {}
  export class WebSocketServer {
    constructor(options: { readonly noServer: true; readonly maxPayload: number; readonly perMessageDeflate: boolean });
  }
}
