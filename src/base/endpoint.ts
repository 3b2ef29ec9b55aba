/** One end of a channel between two threads. Messages arrive in the order in which they were sent. */
export interface Endpoint {
  /**
   * Sends a message.
   *
   * @param transfer memory that moves to the other thread instead of being copied
   * @throws {DOMException} a value that cannot be cloned
   */
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  /** Registers the receiver of messages, and a function that is called with the reason if the other thread ends. */
  listen(receive: (message: unknown) => void, onEnd: (reason: string) => void): void;
  /** Sets whether the other thread keeps this process alive. Has no effect in a page. */
  keepAlive(active: boolean): void;
  /** Ends the other thread. */
  close(): void;
}

/** The part of `Worker`, of a page or of `node:worker_threads`, that this library names. */
export interface WorkerLike {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  terminate(): unknown;
}
