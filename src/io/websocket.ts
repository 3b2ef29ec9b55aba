// WebSockets of a page. `src/node/websocket.ts` is the counterpart for Node.

/** A connection that carries text messages. */
export interface TextSocket {
  send(text: string): void;
  /** Closes the connection. `onClose` is called later. */
  close(): void;
}

/** Options of {@link openTextSocket}. */
export interface TextSocketOptions {
  /** Headers of the request that opens the connection. Only possible if {@link canSendHeaders}. */
  readonly headers: Readonly<Record<string, string>>;
  /** Maximum number of bytes of a message. A larger one closes the connection. Browsers have limits of their own. */
  readonly maxBytes: number;
  /** Aborts the opening of the connection. */
  readonly signal: AbortSignal;
  onMessage(text: string): void;
  /** Called once after the connection was open. @param reason why it ended, for messages */
  onClose(reason: string): void;
}

/** Whether the request that opens a connection can have headers, such as an API key. Browsers do not allow it. */
export const canSendHeaders = false;

/** Opens a WebSocket. @throws {Error} no connection; the message has neither the address nor headers */
export function openTextSocket(url: string, { signal, onMessage, onClose }: TextSocketOptions): Promise<TextSocket> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const socket = new WebSocket(url);
    let isOpen = false;
    const abort = () => {
      if (!isOpen) socket.close();
      reject(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
    socket.onopen = () => {
      isOpen = true;
      signal.removeEventListener("abort", abort);
      if (signal.aborted) socket.close();
      resolve({ send: (text) => socket.send(text), close: () => socket.close() });
    };
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") onMessage(data);
    };
    socket.onclose = ({ code, reason }) => {
      signal.removeEventListener("abort", abort);
      if (isOpen) onClose(`code ${code}${reason && `, ${reason}`}`);
      else reject(new Error("the connection was refused or failed"));
    };
  });
}
