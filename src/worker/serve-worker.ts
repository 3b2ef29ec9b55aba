import { parentEndpoint } from "#worker";
import { createHandlers } from "./handlers.js";
import { serveCalls } from "./serve-calls.js";

/** Performs the calls of the page that started this worker. */
export function serveWorker(): void {
  const endpoint = parentEndpoint();
  serveCalls(
    endpoint,
    createHandlers((event) => endpoint.post({ event })),
  );
}
