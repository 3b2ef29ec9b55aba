import type { Token } from "../generate/generate.js";
import { type ActiveRequest, ClientDisconnected } from "./active-request.js";
import type { Choice } from "./choice.js";
import { toHttpError } from "./http-error.js";
import { chatPromptIds, type ParsedRequest, usageOf } from "./parsed-request.js";
import { sseBody, sseEvent } from "./server-sent-events.js";

/** An answer on its way. */
export interface StreamedResponse {
  readonly job: ParsedRequest;
  readonly prompts: readonly (readonly number[])[];
  /** What every event begins with. */
  readonly head: object;
  readonly choices: readonly Choice[];
  readonly tokens: AsyncIterable<Token>;
  readonly work: ActiveRequest;
}

/** An answer as events, token by token. A client that has gone makes it fail with the client's own reason, as a cancelled `fetch` does. */
export function responseStream(
  answer: StreamedResponse,
  { stallMs, onError, cut }: { readonly stallMs: number; readonly onError: (error: unknown) => void; readonly cut: () => void },
): ReadableStream<Uint8Array> {
  const { work } = answer;
  return sseBody(events(answer, onError), {
    stallMs,
    onStall: () => {
      work.abort(new ClientDisconnected());
      cut();
    },
    onGone: () => work.abort(new ClientDisconnected()),
  });
}

async function* events({ job, prompts, head, choices, tokens, work }: StreamedResponse, onError: (error: unknown) => void) {
  const { params } = job;
  let count = 0;
  try {
    for await (const token of tokens) {
      const choice = choices[token.index]!.push(token);
      const usage = params.includeUsage ? { usage: null } : {};
      if (choice) yield sseEvent({ ...head, choices: [choice], ...usage, ...(count === 0 && chatPromptIds(job, prompts)) });
      count++;
    }
    // A generation that was freed between two tokens ends without an error: its answer is not whole.
    work.signal.throwIfAborted();
    if (params.includeUsage) yield sseEvent({ ...head, choices: [], usage: usageOf(prompts, count) });
    yield sseEvent("[DONE]");
  } catch (error) {
    if (error instanceof ClientDisconnected) throw error.reason;
    const refusal = toHttpError(error);
    if (refusal.status === 500) onError(error);
    yield sseEvent(refusal.body);
  } finally {
    work.end();
  }
}
