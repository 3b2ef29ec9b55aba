import { expectArgument, isObjectLike } from "../base/options.js";
import { type ChatEncoding, type DatasetExample, encodeRow, type LearnedMessage } from "../train/index.js";
import { checkTrace, type Trace, type TraceNode, traceSequence } from "./trace.js";

/**
 * Encodes a trace as documents for supervised training, as `exampleDataset` takes them. The targets are the tokens of the model's
 * messages; all others are context.
 *
 * A trace with token ids gives one document with exactly these ids. A trace without is written in the model's chat format, in which a
 * conversation can become several documents (see `encodeRow`).
 *
 * @param encoding the model to train. A trace with ids must come from a model with the same tokenizer
 * @throws {InputError} not a trace, or a trace without a message of the model
 */
export async function encodeTrace(trace: Trace, encoding: ChatEncoding): Promise<DatasetExample[]> {
  checkTrace(trace, "encodeTrace: trace");
  const fits = isObjectLike(encoding) && isObjectLike(encoding.tokenizer) && typeof encoding.formatChat === "function";
  expectArgument("encodeTrace: encoding", fits, "{ tokenizer, formatChat }, such as a model with a tokenizer", encoding);
  const { ids, mask } = traceSequence(trace);
  if (mask.some(Boolean)) return [{ ids, weights: mask.map(Number) }];
  const tools = trace.tools.length > 0 && { tools: trace.tools };
  return encodeRow({ where: `encodeTrace: ${trace.task.type}`, content: { messages: trace.nodes.map(toMessage), ...tools } }, encoding);
}

/** A message of the model is learned as it was written, with its reasoning and calls. */
function toMessage({ sampled, text, message }: TraceNode): LearnedMessage {
  if (sampled && text !== undefined) return { role: "assistant", content: text };
  return { ...message, ...(message.role === "assistant" && !sampled && { weight: 0 }) } as LearnedMessage;
}
