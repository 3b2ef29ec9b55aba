import * as v from "valibot";
import { RemoteError } from "../base/errors.js";
import type { StopReason, Token } from "../generate/generate.js";
import type { GenerateSettings } from "../generate/options.js";
import { AssistantText } from "./assistant-text.js";

const ids = v.nullish(v.array(v.number()));
const words = v.nullish(v.string());
const logprob = v.nullish(v.number());

const chatLogprob = v.looseObject({ token: v.string(), logprob });

const callFunction = v.looseObject({ name: words, arguments: v.optional(v.unknown()) });

/** An index. Some servers send it as a string. */
const index = v.nullish(
  v.union([
    v.number(),
    v.pipe(
      v.string(),
      v.regex(/^\d{1,9}$/),
      v.transform((text) => Number(text)),
    ),
  ]),
);

const assistantSchema = v.nullish(
  v.looseObject({
    content: words,
    refusal: words,
    reasoning_content: words,
    reasoning: words,
    tool_calls: v.nullish(
      v.array(
        v.looseObject({
          index,
          id: v.nullish(v.union([v.string(), v.number()])),
          function: v.nullish(callFunction),
        }),
      ),
    ),
    function_call: v.nullish(callFunction),
  }),
);

const choiceSchema = v.looseObject({
  index,
  text: words,
  delta: assistantSchema,
  /** The whole message. Present in a response without streaming. */
  message: assistantSchema,
  logprobs: v.nullish(
    v.looseObject({
      content: v.nullish(v.array(v.looseObject({ ...chatLogprob.entries, top_logprobs: v.nullish(v.array(chatLogprob)) }))),
      tokens: v.nullish(v.array(v.string())),
      token_logprobs: v.nullish(v.array(logprob)),
      top_logprobs: v.nullish(v.array(v.nullish(v.record(v.string(), logprob)))),
    }),
  ),
  finish_reason: words,
  stop_reason: v.nullish(v.union([v.string(), v.number()])),
  token_ids: ids,
  prompt_token_ids: ids,
});

const eventSchema = v.looseObject({
  /** Missing or null in events that contain only token counts or keep the connection alive. */
  choices: v.nullish(v.array(choiceSchema)),
  usage: v.fallback(v.nullish(v.looseObject({ prompt_tokens: v.nullish(v.number()), completion_tokens: v.nullish(v.number()) })), null),
});

type Choice = v.InferOutput<typeof choiceSchema>;
export type RemoteEvent = v.InferOutput<typeof eventSchema>;

/** Checks the format of an event. @throws {RemoteError} an object in another format */
export function parseEvent(event: unknown, where: string): RemoteEvent {
  const result = v.safeParse(eventSchema, event);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new RemoteError(
    `${where}: ${v.getDotPath(issue) ?? "answer"}: expected ${issue.expected}, got ${issue.received} ` +
      "(is this an OpenAI-compatible server?)",
  );
}

/** Id of tokens if the server sends no ids. */
const UNKNOWN_ID = -1;

/** Converts the events of one sequence to tokens. */
export class StreamDecoder {
  /** Why the sequence ended. Undefined until then. */
  stop: StopReason | undefined;
  private stopString: string | undefined;
  private readonly assistant: AssistantText | undefined;
  /** Number of tokens so far. Undefined after a chunk without ids and log-probabilities, because its number of tokens is unknown. */
  private generated: number | undefined = 0;

  constructor(
    private readonly index: number,
    /** Names of the tools that a conversation offers. Undefined for prompts of text or ids. */
    tools: ReadonlySet<string> | undefined,
    private readonly settings: GenerateSettings,
    private readonly where: string,
  ) {
    if (tools) this.assistant = new AssistantText(tools);
  }

  /**
   * Converts one chunk to tokens. Each id or log-probability gives one token; the last of them gets the text of the chunk. A chunk with
   * neither gives one token.
   *
   * @throws {RemoteError} an unknown `finish_reason`
   */
  *decode(choice: Choice): Generator<Token, void, undefined> {
    const { index, settings, assistant } = this;
    let text = assistant ? assistant.push(choice.delta ?? choice.message ?? {}) : (choice.text ?? "");
    const known = logprobsOf(choice, settings.topLogprobs);
    const ids = choice.token_ids ?? [];
    const counted = ids.length || known.length;
    if (this.generated !== undefined) this.generated = text && counted === 0 ? undefined : this.generated + counted;
    if (choice.finish_reason) {
      text += assistant?.end() ?? "";
      this.stop = this.reasonOf(choice, ids);
      this.stopString = this.settings.stops.find((string) => string === choice.stop_reason);
    }
    const count = counted || Number(text !== "" || this.stop !== undefined);
    for (let i = 0; i < count; i++) {
      const { id, logprob, top } = known[i] ?? { id: UNKNOWN_ID, logprob: Number.NaN, top: [] };
      const last = i === count - 1;
      yield {
        ...{ index, id: ids[i] ?? id, text: last ? text : "", logprob },
        ...(settings.topLogprobs > 0 && { topLogprobs: top }),
        ...(last && this.stop && { stop: this.stop }),
        ...(last && this.stopString !== undefined && { stopString: this.stopString }),
      };
    }
  }

  /**
   * Returns the stop reason for a `finish_reason`. If the server sends no `stop_reason`, "stop" means a stop string if the request has any,
   * and otherwise the end of the sequence.
   */
  private reasonOf({ finish_reason, stop_reason }: Choice, ids: readonly number[]): StopReason {
    const { stops, stopIds, maxTokens } = this.settings;
    switch (finish_reason) {
      case "stop":
      case "tool_calls":
      case "function_call": {
        const asked = (stop_reason ?? null) !== null || stopIds.has(ids.at(-1) ?? UNKNOWN_ID);
        const silent = finish_reason === "stop" && stop_reason === undefined && stops.length > 0;
        return asked || silent ? "stop" : "eos";
      }
      case "length":
        return maxTokens === Infinity || (this.generated ?? maxTokens) < maxTokens ? "context" : "length";
      case "context":
      case "repetition":
      case "eos":
        return finish_reason;
      default:
        throw new RemoteError(
          `${this.where}: the server ended the text with finish_reason ${JSON.stringify(finish_reason)} ` +
            "(expected stop, length or tool_calls)",
        );
    }
  }
}

interface TokenLogprob {
  readonly id: number;
  readonly logprob: number;
  readonly top: { readonly id: number; readonly logprob: number }[];
}

/** Returns log-probabilities, given in the format of completions or of chats. */
function logprobsOf({ logprobs }: Choice, limit: number): TokenLogprob[] {
  if (!logprobs) return [];
  const known = (
    token: string,
    logprob: number | null | undefined,
    top: readonly { token: string; logprob?: number | null }[],
  ): TokenLogprob => ({
    ...namedLogprob(token, logprob),
    top: top
      .map((one) => namedLogprob(one.token, one.logprob))
      .sort((a, b) => b.logprob - a.logprob)
      .slice(0, limit),
  });
  if (logprobs.content) return logprobs.content.map(({ token, logprob, top_logprobs }) => known(token, logprob, top_logprobs ?? []));
  return (logprobs.tokens ?? []).map((token, i) =>
    known(
      token,
      logprobs.token_logprobs?.[i],
      Object.entries(logprobs.top_logprobs?.[i] ?? {}).map(([token, logprob]) => ({ token, logprob })),
    ),
  );
}

/** Reads the id from a token's name, if the server names tokens by ids: `token_id:123`. */
function namedLogprob(token: string, logprob: number | null | undefined): { id: number; logprob: number } {
  const id = /^token_id:(\d+)$/.exec(token)?.[1];
  return { id: id === undefined ? UNKNOWN_ID : Number(id), logprob: logprob ?? Number.NaN };
}
