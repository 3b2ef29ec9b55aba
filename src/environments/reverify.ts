import * as v from "valibot";
import { rejectOnAbort } from "../base/abort.js";
import { InputError } from "../base/errors.js";
import { parseOptions, signal as signalOption } from "../base/options.js";
import { plainJson } from "../base/plain-json.js";
import { readArguments } from "../text/messages.js";
import type { AssistantMessage, Environment } from "./environment.js";
import { parseAnswer } from "./parse-answer.js";
import { expectEnvironment, startEpisode } from "./play.js";
import { checkScores, checkTrace, type Trace, type TraceNode, weightedRewards } from "./trace.js";

const schema = v.strictObject({ signal: v.optional(signalOption) });

/**
 * Recomputes the rewards of a trace without a model: the stored messages of the model are given to a new episode of the same task and
 * seed, which judges them.
 *
 * @returns the trace with new rewards, metrics and info. Turns and tokens stay
 * @throws {InputError} a trace of another environment
 * @throws what the environment throws, and the signal's reason
 */
export async function reverify<Row extends object>(
  environment: Environment<Row>,
  trace: Trace,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Trace> {
  expectEnvironment("reverify: environment", environment);
  checkTrace(trace, "reverify: trace");
  const { signal = new AbortController().signal } = parseOptions(schema, options, "reverify");
  if (trace.task.type !== environment.name) {
    throw new InputError(`reverify: trace: expected a task of ${environment.name}, got one of ${trace.task.type}`);
  }
  const seed = typeof trace.agent.config.seed === "number" ? trace.agent.config.seed : 0;
  const episode = await startEpisode(environment, plainJson(trace.task.data, "reverify: trace: task.data") as Row, { seed, signal });
  try {
    let calls = 0;
    for (const node of trace.nodes) {
      if (!node.sampled || !isComplete(node)) continue;
      const answer = answerOf(node, () => `call_${calls++}`);
      await rejectOnAbort(Promise.resolve(episode.step(answer, { signal })), signal);
    }
    const scores = checkScores(await rejectOnAbort(Promise.resolve(episode.score({ signal })), signal), environment.name);
    const { turns, tokens } = trace.metrics;
    return {
      ...trace,
      rewards: weightedRewards(scores, environment.weights),
      info: { ...trace.info, ...plainJson(scores.info ?? {}, `${environment.name}: score: info`) },
      metrics: { ...scores.metrics, ...(turns !== undefined && { turns }), ...(tokens !== undefined && { tokens }) },
    };
  } finally {
    await episode.dispose?.();
  }
}

/** Whether the environment has seen a message, because no limit cut it off. */
const isComplete = ({ stop }: TraceNode): boolean => stop === undefined || stop === "eos" || stop === "stop";

/** The message of the model in a node: from its text or, in traces of other programs, from its fields. */
function answerOf({ text, message }: TraceNode, nextId: () => string): AssistantMessage {
  if (text !== undefined) return parseAnswer(text, nextId);
  const { content, reasoning_content: reasoning, tool_calls: calls } = message;
  const toolCalls = (calls ?? []).map((call) => {
    const { name, arguments: given } = (call.function ?? call) as { readonly name: string; readonly arguments: unknown };
    const read = readArguments(given, "trace: tool_calls");
    return { id: nextId(), name, arguments: typeof read === "string" ? {} : read };
  });
  return { text: content ?? "", content: content ?? "", ...(reasoning && { reasoning }), toolCalls, malformed: [] };
}
