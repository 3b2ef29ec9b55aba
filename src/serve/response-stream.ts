import type { Token } from "../generate/generate.js";
import { type ActiveRequest, ClientDisconnected } from "./active-request.js";
import type { Choice } from "./choice.js";
import { toHttpError } from "./http-error.js";
import { chatPromptIds, type ParsedRequest, usageOf } from "./parsed-request.js";
import { sseBody, sseEvent } from "./server-sent-events.js";

export interface StreamedResponse {
  readonly parsed: ParsedRequest;
  readonly prompts: readonly (readonly number[])[];
  /** The fields with which every event begins. */
  readonly head: object;
  readonly choices: readonly Choice[];
  readonly tokens: AsyncIterable<Token>;
  readonly active: ActiveRequest;
}

interface StreamOptions {
  readonly stallMs: number;
  readonly onError: (error: unknown) => void;
  readonly closeConnection: () => void;
}

/**
 * Creates the body of a streamed response, with one event per token. If the client disconnects, the body fails with the client's reason, as
 * with `fetch`.
 */
export function responseStream(response: StreamedResponse, { stallMs, onError, closeConnection }: StreamOptions) {
  const { active } = response;
  return sseBody(events(response, onError), {
    stallMs,
    onStall: () => {
      active.abort(new ClientDisconnected());
      closeConnection();
    },
    onCancel: () => active.abort(new ClientDisconnected()),
  });
}

async function* events({ parsed, prompts, head, choices, tokens, active }: StreamedResponse, onError: (error: unknown) => void) {
  const { params } = parsed;
  let count = 0;
  try {
    for await (const token of tokens) {
      const choice = choices[token.index]!.push(token);
      const usage = params.includeUsage ? { usage: null } : {};
      if (choice) yield sseEvent({ ...head, choices: [choice], ...usage, ...(count === 0 && chatPromptIds(parsed, prompts)) });
      count++;
    }
    // If the request is aborted between two tokens, the generation ends without an error, but the answer is incomplete.
    active.signal.throwIfAborted();
    if (params.includeUsage) yield sseEvent({ ...head, choices: [], usage: usageOf(prompts, count) });
    yield sseEvent("[DONE]");
  } catch (cause) {
    if (cause instanceof ClientDisconnected) throw cause.reason;
    const error = toHttpError(cause);
    if (error.status === 500) onError(cause);
    yield sseEvent(error.body);
  } finally {
    active.end();
  }
}
