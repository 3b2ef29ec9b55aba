// The bodies of OpenAI's interface, with vLLM's additions, → prompts and options of this library.

import * as v from "valibot";
import { InputError } from "../base/errors.js";
import { count, flag, number, parseOptions, SEEDS, text, word } from "../base/options.js";
import { type GenerateOptions, generateEntries } from "../generate/options.js";
import type { ChatMessage, Tool } from "../text/format-chat.js";

/** What is the same for both kinds of request. */
export interface RequestParams {
  readonly model: string | undefined;
  readonly stream: boolean;
  /** A last event that tells how many tokens it was. */
  readonly includeUsage: boolean;
  /** Answers per prompt. */
  readonly n: number;
  readonly returnTokenIds: boolean;
  /** Tokens in log-probabilities are named `token_id:123`. */
  readonly tokensAsIds: boolean;
  /** Whether log-probabilities are wanted. */
  readonly logprobs: boolean;
  /** With `maxTokens` undefined where the request leaves it to the server. */
  readonly options: GenerateOptions;
}

const { temperature, topP, minP, repetitionPenalty, stop, stopIds, repetition } = generateEntries;

/** Only the value that changes nothing: the others cannot be had. */
const onlyAllowed = (...values: readonly unknown[]) =>
  v.optional(
    v.custom<unknown>((x) => values.includes(x), `${values.map((x) => JSON.stringify(x)).join(" or ")} (nothing else is supported)`),
  );
/** Fields that change nothing while they are empty. */
const emptyOnly = (expected: "{}" | "[]") =>
  v.optional(
    v.custom<unknown>(
      (x) => (expected === "[]" ? Array.isArray(x) : isRecord(x)) && Object.keys(x as object).length === 0,
      `${expected} (nothing else is supported)`,
    ),
  );
/** Read by others, and of no influence here. */
const ignored = v.optional(v.unknown());

const logprobCount = number("an integer within [0, 20]", (x) => Number.isInteger(x) && x >= 0 && x <= 20);
/** Seeds of OpenAI's interface are 64-bit. Above 2^53, JSON's numbers are rounded. */
const int64 = number("an integer within [-2^63, 2^63)", (x) => Number.isInteger(x) && x >= -(2 ** 63) && x <= 2 ** 63);
const topKCount = number("an integer of at least 1, or -1 for all", (x) => Number.isInteger(x) && (x >= 1 || x === -1 || x === 0));

const shared = {
  model: v.optional(text),
  stream: v.optional(flag, false),
  stream_options: v.optional(v.object({ include_usage: v.nullish(flag, false) }, "{ include_usage }")),
  n: v.optional(count, 1),
  max_tokens: v.optional(count),
  ...{ temperature, stop, repetition },
  seed: v.optional(int64),
  top_p: topP,
  top_k: v.optional(topKCount, -1),
  min_p: minP,
  repetition_penalty: repetitionPenalty,
  stop_token_ids: stopIds,
  return_token_ids: v.optional(flag, false),
  return_tokens_as_token_ids: v.optional(flag, false),
  presence_penalty: onlyAllowed(0),
  frequency_penalty: onlyAllowed(0),
  logit_bias: emptyOnly("{}"),
  ignore_eos: onlyAllowed(false),
  min_tokens: onlyAllowed(0),
  skip_special_tokens: onlyAllowed(false),
  spaces_between_special_tokens: onlyAllowed(true, false),
  include_stop_str_in_output: onlyAllowed(false),
  add_special_tokens: onlyAllowed(false),
  user: ignored,
  metadata: ignored,
  store: ignored,
  service_tier: ignored,
  safety_identifier: ignored,
  prompt_cache_key: ignored,
  prompt_cache_retention: ignored,
};

const completionSchema = v.strictObject({
  ...shared,
  prompt: v.optional(v.unknown()),
  logprobs: v.optional(logprobCount),
  echo: onlyAllowed(false),
  suffix: onlyAllowed(""),
  best_of: onlyAllowed(1),
});

const chatSchema = v.strictObject({
  ...shared,
  messages: v.array(v.looseObject({ role: v.string("a role") }, "a message"), "an array of messages"),
  max_completion_tokens: v.optional(count),
  logprobs: v.optional(flag, false),
  top_logprobs: v.optional(logprobCount),
  tools: v.optional(v.array(v.looseObject({}, "an object"), "an array of objects"), []),
  tool_choice: v.optional(word("auto", "none"), "auto"),
  parallel_tool_calls: onlyAllowed(true),
  functions: emptyOnly("[]"),
  function_call: onlyAllowed("auto", "none"),
  chat_template_kwargs: emptyOnly("{}"),
  modalities: v.optional(
    v.custom<unknown>((x) => Array.isArray(x) && x.length === 1 && x[0] === "text", '["text"] (nothing else is supported)'),
  ),
  response_format: v.optional(v.looseObject({ type: word("text") }, '{ "type": "text" }')),
  chat_template: v.optional(text),
  add_generation_prompt: onlyAllowed(true),
});

export interface CompletionParams extends RequestParams {
  readonly prompts: readonly (string | readonly number[])[];
}

export interface ChatParams extends RequestParams {
  readonly messages: readonly ChatMessage[];
  readonly tools: readonly Tool[];
  readonly template: string | undefined;
}

/** @throws {InputError} a field that is unknown, out of its range, or cannot be had */
export function parseCompletionParams(body: unknown): CompletionParams {
  // A `max_tokens` of null goes on to the end of the context, as none at all does not.
  const unlimited = isRecord(body) && body.max_tokens === null;
  const given = parseOptions(completionSchema, expectRecord(body, "completions"), "completions");
  const { logprobs, max_tokens } = given;
  return {
    ...sharedParams(given, unlimited ? undefined : (max_tokens ?? 16), logprobs),
    prompts: promptsOf(given.prompt),
  };
}

/** @throws {InputError} a field that is unknown, out of its range, or cannot be had */
export function parseChatParams(body: unknown): ChatParams {
  const given = parseOptions(chatSchema, expectRecord(body, "chat.completions"), "chat.completions");
  const { logprobs, top_logprobs, messages, tools, tool_choice, chat_template: template } = given;
  if (top_logprobs && !logprobs) throw new InputError("chat.completions: top_logprobs: expected with logprobs: true only");
  return {
    ...sharedParams(given, given.max_completion_tokens ?? given.max_tokens, logprobs ? (top_logprobs ?? 0) : undefined),
    messages: messages as unknown as readonly ChatMessage[],
    tools: tool_choice === "none" ? [] : tools.map(unwrapTool),
    template,
  };
}

type Shared = v.InferOutput<v.StrictObjectSchema<typeof shared, undefined>>;

function sharedParams(given: Shared, maxTokens: number | undefined, topLogprobs: number | undefined): RequestParams {
  return {
    model: given.model,
    stream: given.stream,
    includeUsage: given.stream_options?.include_usage ?? false,
    n: given.n,
    returnTokenIds: given.return_token_ids,
    tokensAsIds: given.return_tokens_as_token_ids,
    logprobs: topLogprobs !== undefined,
    options: {
      maxTokens,
      temperature: given.temperature ?? 1,
      topK: given.top_k < 1 ? Infinity : given.top_k,
      topP: given.top_p,
      minP: given.min_p,
      repetitionPenalty: given.repetition_penalty,
      seed: seedOf(given.seed),
      stop: given.stop,
      stopIds: given.stop_token_ids,
      topLogprobs: topLogprobs ?? 0,
      repetition: given.repetition,
    },
  };
}

/** Seeds of 64 bits are folded into 32. As in vLLM and llama.cpp, −1 is no seed. */
function seedOf(seed: number | undefined): number | undefined {
  return seed === undefined || seed === -1 ? undefined : ((seed % SEEDS) + SEEDS) % SEEDS;
}

/** Clients write null for what they leave out. */
function expectRecord(body: unknown, where: string): Record<string, unknown> {
  if (!isRecord(body)) {
    const got = Array.isArray(body) ? "an array" : body === null ? "null" : `a ${typeof body}`;
    throw new InputError(`${where}: body: expected a JSON object, got ${got}`);
  }
  return withoutNullFields(body);
}

function withoutNullFields(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== null));
}

function isRecord(x: unknown): x is Record<string, unknown> {
  return typeof x === "object" && x !== null && !Array.isArray(x);
}

/** One prompt or several, each as text or as ids. */
function promptsOf(prompt: unknown): readonly (string | readonly number[])[] {
  if (typeof prompt === "string") return [prompt];
  const isIds = (x: unknown): x is number[] => Array.isArray(x) && x.length > 0 && x.every((id) => Number.isSafeInteger(id) && id >= 0);
  if (isIds(prompt)) return [prompt];
  if (Array.isArray(prompt) && prompt.length > 0 && prompt.every((one) => typeof one === "string" || isIds(one))) return prompt;
  throw new InputError("completions: prompt: expected text, token ids, or a list of either, got something else or nothing");
}

/** The description inside OpenAI's wrapping: what the model is to see of a tool. Null fields of the description are left out. */
function unwrapTool(tool: Record<string, unknown>): Tool {
  return tool.type === "function" && isRecord(tool.function) ? withoutNullFields(tool.function) : tool;
}
