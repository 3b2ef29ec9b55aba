import type { Token } from "../generate/generate.js";
import type { Choice } from "./choice.js";
import { eventOf, eventStream } from "./event-stream.js";
import { type Job, promptIds, usageOf } from "./job.js";
import { refusalOf } from "./refusal.js";
import { Gone, type Work } from "./work.js";

/** An answer on its way. */
export interface Answer {
  readonly job: Job;
  readonly prompts: readonly (readonly number[])[];
  /** What every event begins with. */
  readonly head: object;
  readonly choices: readonly Choice[];
  readonly tokens: AsyncIterable<Token>;
  readonly work: Work;
}

/** An answer as events, token by token. A client that has gone makes it fail with the client's own reason, as a cancelled `fetch` does. */
export function answerStream(
  answer: Answer,
  { stallMs, onError, cut }: { readonly stallMs: number; readonly onError: (error: unknown) => void; readonly cut: () => void },
): ReadableStream<Uint8Array> {
  const { work } = answer;
  return eventStream(events(answer, onError), {
    stallMs,
    onStall: () => {
      work.abort(new Gone());
      cut();
    },
    onGone: () => work.abort(new Gone()),
  });
}

async function* events({ job, prompts, head, choices, tokens, work }: Answer, onError: (error: unknown) => void) {
  const { asked } = job;
  let count = 0;
  try {
    for await (const token of tokens) {
      const choice = choices[token.index]!.push(token);
      const usage = asked.usage ? { usage: null } : {};
      if (choice) yield eventOf({ ...head, choices: [choice], ...usage, ...(count === 0 && promptIds(job, prompts)) });
      count++;
    }
    // A generation that was freed between two tokens ends without an error: its answer is not whole.
    work.signal.throwIfAborted();
    if (asked.usage) yield eventOf({ ...head, choices: [], usage: usageOf(prompts, count) });
    yield eventOf("[DONE]");
  } catch (error) {
    if (error instanceof Gone) throw error.reason;
    const refusal = refusalOf(error);
    if (refusal.status === 500) onError(error);
    yield eventOf(refusal.body);
  } finally {
    work.end();
  }
}
