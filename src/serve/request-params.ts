// Converts request bodies of OpenAI's interface, with vLLM's additions, to prompts and options of this library.

import * as v from "valibot";
import { InputError } from "../base/errors.js";
import { isObject } from "../base/json.js";
import { count, flag, number, oneOf, parseOptions, SEED_LIMIT, text } from "../base/options.js";
import { type GenerateOptions, generateEntries } from "../generate/options.js";
import type { ChatMessage, Tool } from "../text/format-chat.js";

/** The parameters that completions and chat completions share. */
export interface RequestParams {
  readonly model: string | undefined;
  readonly stream: boolean;
  /** Whether a stream ends with an event that contains the token counts. */
  readonly includeUsage: boolean;
  /** Number of choices per prompt. */
  readonly n: number;
  readonly returnTokenIds: boolean;
  /** Whether log-probabilities name tokens as `token_id:123`. */
  readonly tokensAsIds: boolean;
  readonly logprobs: boolean;
  /** Generation options. `maxTokens` is undefined if the request sets no limit. */
  readonly options: GenerateOptions;
}

const { temperature, topP, minP, repetitionPenalty, stop, stopIds, repetition } = generateEntries;

/** Creates the schema of a field that must have its neutral value, because other values are not supported. */
const onlyAllowed = (...values: readonly unknown[]) =>
  v.optional(
    v.custom<unknown>((x) => values.includes(x), `${values.map((x) => JSON.stringify(x)).join(" or ")} (no other value is supported)`),
  );
/** Creates the schema of a field that must be empty, because its contents are not supported. */
const emptyOnly = (expected: "{}" | "[]") =>
  v.optional(
    v.custom<unknown>(
      (x) => (expected === "[]" ? Array.isArray(x) : isObject(x)) && Object.keys(x as object).length === 0,
      `${expected} (no other value is supported)`,
    ),
  );
/** Schema of a field that does not influence the answer. */
const ignored = v.optional(v.unknown());

const logprobCount = number("an integer within [0, 20]", (x) => Number.isInteger(x) && x >= 0 && x <= 20);
/** Schema of a seed. OpenAI's seeds have 64 bits. JSON numbers above 2^53 are rounded, so 2^63 itself is accepted. */
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
  tool_choice: v.optional(oneOf("auto", "none"), "auto"),
  parallel_tool_calls: onlyAllowed(true),
  functions: emptyOnly("[]"),
  function_call: onlyAllowed("auto", "none"),
  chat_template_kwargs: emptyOnly("{}"),
  modalities: v.optional(
    v.custom<unknown>((x) => Array.isArray(x) && x.length === 1 && x[0] === "text", '["text"] (no other value is supported)'),
  ),
  response_format: v.optional(v.looseObject({ type: oneOf("text") }, '{ "type": "text" }')),
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

/** Parses the parameters of /v1/completions. @throws {InputError} a field that is unknown, out of range or not supported */
export function parseCompletionParams(body: unknown): CompletionParams {
  // `max_tokens: null` generates up to the end of the context. A missing `max_tokens` means 16, as in OpenAI's interface.
  const unlimited = isObject(body) && body.max_tokens === null;
  const given = parseOptions(completionSchema, expectRecord(body, "completions"), "completions");
  const { logprobs, max_tokens } = given;
  return {
    ...sharedParams(given, unlimited ? undefined : (max_tokens ?? 16), logprobs),
    prompts: promptsOf(given.prompt),
  };
}

/** Parses the parameters of /v1/chat/completions. @throws {InputError} a field that is unknown, out of range or not supported */
export function parseChatParams(body: unknown): ChatParams {
  const given = parseOptions(chatSchema, expectRecord(body, "chat.completions"), "chat.completions");
  const { logprobs, top_logprobs, messages, tools, tool_choice, chat_template: template } = given;
  if (top_logprobs && !logprobs)
    throw new InputError("chat.completions: top_logprobs: expected logprobs: true in the same request, got false or nothing");
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

/** Reduces a 64-bit seed modulo 2^32. As in vLLM and llama.cpp, −1 means no seed. */
function seedOf(seed: number | undefined): number | undefined {
  return seed === undefined || seed === -1 ? undefined : ((seed % SEED_LIMIT) + SEED_LIMIT) % SEED_LIMIT;
}

/** Checks that a body is an object. Removes fields that are null, because clients send null for missing fields. */
function expectRecord(body: unknown, where: string): Record<string, unknown> {
  if (!isObject(body)) {
    const got = Array.isArray(body) ? "an array" : body === null ? "null" : `a ${typeof body}`;
    throw new InputError(`${where}: body: expected a JSON object, got ${got}`);
  }
  return withoutNullFields(body);
}

function withoutNullFields(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== null));
}

/** Returns the prompts of a request. A request may contain one or several, each as text or as ids. */
function promptsOf(prompt: unknown): readonly (string | readonly number[])[] {
  if (typeof prompt === "string") return [prompt];
  const isIds = (x: unknown): x is number[] => Array.isArray(x) && x.length > 0 && x.every((id) => Number.isSafeInteger(id) && id >= 0);
  if (isIds(prompt)) return [prompt];
  if (Array.isArray(prompt) && prompt.length > 0 && prompt.every((one) => typeof one === "string" || isIds(one))) return prompt;
  throw new InputError("completions: prompt: expected text, token ids, or a list of either, got nothing or another type");
}

/** Returns the description of a tool as the model sees it, without OpenAI's wrapper. Null fields are left out. */
function unwrapTool(tool: Record<string, unknown>): Tool {
  return tool.type === "function" && isObject(tool.function) ? withoutNullFields(tool.function) : tool;
}
