// Traces: the record of an episode in the format of verifiers v1, one JSON object a line.

import * as v from "valibot";
import { InputError } from "../base/errors.js";
import { expectArgument, isObjectLike } from "../base/options.js";
import type { Scores, ToolDefinition } from "./environment.js";

const ids = v.array(v.pipe(v.number(), v.integer(), v.minValue(0)));
const named = v.record(v.string(), v.unknown());
const optionalText = v.optional(v.nullable(v.string()));

const nodeSchema = v.looseObject({
  parent: v.nullable(v.pipe(v.number(), v.integer(), v.minValue(0))),
  message: v.looseObject({
    role: v.string(),
    content: optionalText,
    reasoning_content: optionalText,
    tool_call_id: optionalText,
    name: optionalText,
    tool_calls: v.optional(v.nullable(v.array(named))),
  }),
  sampled: v.boolean(),
  timestamp: v.number(),
  token_ids: ids,
  mask: v.array(v.boolean()),
  is_content: v.array(v.boolean()),
  logprobs: v.array(v.number()),
  advantages: v.nullable(v.array(v.number())),
  text: v.optional(v.string()),
  stop: v.optional(v.string()),
});

const traceSchema = v.looseObject({
  version: v.literal(1),
  task: v.looseObject({ type: v.string(), data: named, key: v.string(), hash: v.string() }),
  agent: v.looseObject({ config: named, name: v.string(), trainable: v.boolean() }),
  tools: v.array(named),
  nodes: v.array(nodeSchema),
  calls: v.array(v.unknown()),
  rewards: v.record(v.string(), v.nullable(v.looseObject({ score: v.number(), weight: v.number() }))),
  metrics: v.record(v.string(), v.number()),
  info: named,
  stop_condition: v.nullable(v.string()),
  errors: v.array(v.looseObject({ type: v.string(), message: v.string() })),
  timing: named,
});

/** A message in a trace, in the form of OpenAI's API. */
export interface TraceMessage {
  readonly role: string;
  readonly content?: string | null | undefined;
  readonly reasoning_content?: string | null | undefined;
  readonly tool_call_id?: string | null | undefined;
  readonly name?: string | null | undefined;
  readonly tool_calls?: readonly Readonly<Record<string, unknown>>[] | null | undefined;
}

/** A message of an episode, linked to the message before it. */
export interface TraceNode {
  /** Index of the message before it. Null if it is the first one. */
  readonly parent: number | null;
  readonly message: TraceMessage;
  /** Whether the model wrote it. */
  readonly sampled: boolean;
  /** Seconds since 1970. */
  readonly timestamp: number;
  /** The tokens that it adds to the sequence, with the chat format's own tokens. Empty if the model returned none. */
  readonly token_ids: readonly number[];
  /** For each token, whether the model sampled it. */
  readonly mask: readonly boolean[];
  /** For each token, whether it belongs to the message's text rather than to the chat format. */
  readonly is_content: readonly boolean[];
  /** Log-probability of each sampled token at temperature 1. */
  readonly logprobs: readonly number[];
  readonly advantages: readonly number[] | null;
  /** Of sampled messages: the whole text. Other programs do not write it. */
  readonly text?: string | undefined;
  /** Of sampled messages: why the text ended, "eos" or "stop" if it is complete. Other programs do not write it. */
  readonly stop?: string | undefined;
}

/** The record of an episode. Joined along a path, the `token_ids` of its nodes are exactly what the model saw. */
export interface Trace {
  readonly version: 1;
  /** Name of the environment, row, id of the row, and SHA-256 of the row's JSON. */
  readonly task: { readonly type: string; readonly data: Readonly<Record<string, unknown>>; readonly key: string; readonly hash: string };
  readonly agent: { readonly config: Readonly<Record<string, unknown>>; readonly name: string; readonly trainable: boolean };
  readonly tools: readonly Readonly<Record<string, unknown>>[];
  readonly nodes: readonly TraceNode[];
  readonly calls: readonly unknown[];
  /** Rewards by name. Null for a reward that could not be judged. */
  readonly rewards: Readonly<Record<string, { readonly score: number; readonly weight: number } | null>>;
  readonly metrics: Readonly<Record<string, number>>;
  readonly info: Readonly<Record<string, unknown>>;
  readonly stop_condition: string | null;
  readonly errors: readonly { readonly type: string; readonly message: string }[];
  readonly timing: Readonly<Record<string, unknown>>;
}

/** Why an episode ended: the task is over, a limit was reached, or something failed. */
export type StopCondition = "terminated" | "max_turns" | "max_tokens" | "context" | "timeout" | "repetition" | "error";

/** Whether a limit ended the episode, rather than the task itself. */
export function isTruncated(trace: Pick<Trace, "stop_condition">): boolean {
  expectArgument("isTruncated: trace", isObjectLike(trace), "a trace", trace);
  const { stop_condition } = trace;
  return stop_condition !== "terminated" && stop_condition !== "error";
}

/** The weighted sum of a trace's rewards. Null if there is none, or if one of them could not be judged. */
export function totalReward(trace: Pick<Trace, "rewards">): number | null {
  expectArgument("totalReward: trace", isObjectLike(trace) && isObjectLike(trace.rewards), "a trace", trace);
  let total = 0;
  for (const [name, reward] of Object.entries(trace.rewards)) {
    if (reward === null) return null;
    const { score, weight } = isObjectLike(reward) ? reward : ({} as Partial<typeof reward>);
    const value = typeof score === "number" && typeof weight === "number" ? score * weight : Number.NaN;
    expectArgument(`totalReward: trace: rewards.${name}`, Number.isFinite(value), "{ score, weight } or null", reward);
    total += value;
  }
  return Object.keys(trace.rewards).length === 0 ? null : total;
}

/** Checks what an environment returns. @throws {InputError} rewards or metrics that are no numbers, so that no trace could contain them */
export function checkScores(scores: Scores, name: string): Scores {
  const where = `${name}: score`;
  expectArgument(where, isObjectLike(scores) && isObjectLike(scores.rewards), "{ rewards: { name: number } }", scores);
  for (const [reward, value] of Object.entries(scores.rewards)) {
    expectArgument(`${where}: rewards.${reward}`, value === null || Number.isFinite(value), "a finite number or null", value);
  }
  for (const [metric, value] of Object.entries(scores.metrics ?? {})) {
    expectArgument(`${where}: metrics.${metric}`, Number.isFinite(value), "a finite number", value);
  }
  return scores;
}

/** Rewards as a trace contains them. */
export function weightedRewards({ rewards }: Scores, weights: Readonly<Record<string, number>> = {}): Trace["rewards"] {
  return Object.fromEntries(
    Object.entries(rewards).map(([name, score]) => [
      name,
      score === null ? null : { score, weight: Object.hasOwn(weights, name) ? weights[name]! : 1 },
    ]),
  );
}

/** Tools as a trace contains them. */
export const tracedTools = (tools: readonly ToolDefinition[]): Trace["tools"] =>
  tools.map(({ name, description, parameters }) => ({ name, description, parameters, strict: false }));

/** Writes a trace as a line of JSON, with its line end. */
export function formatTrace(trace: Trace): string {
  try {
    return `${JSON.stringify(checkTrace(trace, "formatTrace: trace"))}\n`;
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    throw new InputError("formatTrace: trace: expected a trace of plain JSON, got a value that JSON cannot represent", { cause });
  }
}

/**
 * Reads the traces of a JSONL file. Unknown fields are kept.
 *
 * @param where name of the file in messages
 * @throws {InputError} a line that is not a trace; the error gives its number
 */
export function parseTraces(text: string, where = "traces"): Trace[] {
  expectArgument("parseTraces: text", typeof text === "string", "text", text);
  expectArgument("parseTraces: where", typeof where === "string", "a name", where);
  return text.split("\n").flatMap((line, i) => (line.trim() === "" ? [] : [parseTrace(line, `${where}: line ${i + 1}`)]));
}

function parseTrace(line: string, where: string): Trace {
  try {
    return checkTrace(JSON.parse(line), where);
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    throw new InputError(`${where}: expected JSON, got ${(cause as Error).message}`, { cause });
  }
}

function parsed<const Schema extends v.GenericSchema>(schema: Schema, value: unknown, where: string): v.InferOutput<Schema> {
  const { success, output, issues } = v.safeParse(schema, value);
  if (success) return output;
  throw new InputError(`${where}: ${v.getDotPath(issues[0]) ?? "trace"}: ${issues[0].message} (expected a trace of version 1)`);
}

/** Checks a trace. @throws {InputError} another value, or inconsistent nodes */
export function checkTrace(value: unknown, where: string): Trace {
  const output = parsed(traceSchema, value, where);
  for (const [i, node] of output.nodes.entries()) checkNode(node, i, `${where}: nodes[${i}]`);
  return output;
}

function checkNode(node: TraceNode, index: number, where: string): TraceNode {
  const { parent, token_ids, mask, is_content, logprobs } = node;
  const sampled = mask.filter(Boolean).length;
  const wrong =
    parent !== null && parent >= index
      ? `parent: expected an earlier node, got ${parent}`
      : mask.length !== token_ids.length || is_content.length !== token_ids.length
        ? `expected mask and is_content of ${token_ids.length} elements like token_ids, got ${mask.length} and ${is_content.length}`
        : logprobs.length !== sampled
          ? `logprobs: expected one number for each of the ${sampled} sampled tokens, got ${logprobs.length}`
          : undefined;
  if (wrong) throw new InputError(`${where}: ${wrong}`);
  return node;
}

/**
 * Returns the sequence of a trace, which is the path that ends in its last node: the ids that the model saw, which of them it sampled, and
 * the log-probabilities of these. All are empty if the model returned no ids.
 */
export function traceSequence(trace: Pick<Trace, "nodes">): {
  readonly ids: number[];
  readonly mask: boolean[];
  readonly logp: number[];
} {
  expectArgument("traceSequence: trace", isObjectLike(trace) && Array.isArray(trace.nodes), "a trace", trace);
  const nodes = trace.nodes.map((node, i) =>
    checkNode(parsed(nodeSchema, node, `traceSequence: nodes[${i}]`), i, `traceSequence: nodes[${i}]`),
  );
  const path: TraceNode[] = [];
  for (let at: number | null = nodes.length - 1; at !== null && at >= 0; at = nodes[at]!.parent) path.unshift(nodes[at]!);
  return {
    ids: path.flatMap(({ token_ids }) => token_ids),
    mask: path.flatMap(({ mask }) => mask),
    logp: path.flatMap(({ logprobs }) => logprobs),
  };
}
