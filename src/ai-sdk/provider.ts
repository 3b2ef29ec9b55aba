import type {
  LanguageModelV3,
  LanguageModelV3CallOptions,
  LanguageModelV3Content,
  LanguageModelV3FinishReason,
  LanguageModelV3GenerateResult,
  LanguageModelV3StreamPart,
  LanguageModelV3Usage,
} from "@ai-sdk/provider";
import * as v from "valibot";
import { followSignals } from "../base/abort.js";
import { expectArgument, isObjectLike, parseOptions, text } from "../base/options.js";
import type { StopReason } from "../generate/generate.js";
import type { LanguageModel, Usage } from "../language-model.js";
import { type ConvertedCall, convertCall, PROVIDER_NAME } from "./convert-call.js";
import { StreamParts, uniqueId } from "./stream-parts.js";

export interface LightningM1Settings {
  /** The model's id in the AI SDK (its name on the server, or `lightning-m1`). */
  modelId?: string;
}

const schema = v.strictObject({ modelId: v.optional(text) });

const FINISH_REASONS: Readonly<Record<StopReason, LanguageModelV3FinishReason["unified"]>> = {
  eos: "stop",
  stop: "stop",
  length: "length",
  context: "length",
  repetition: "other",
};

/**
 * Adapts a model to the AI SDK (`ai` 6 and 7): `generateText({ model: lightningM1(model), prompt })`. It implements version 3 of the model
 * interface, which both versions of the SDK accept. The text between `<think>` and `</think>` becomes reasoning parts.
 *
 * Settings of a call are passed to `model.generate`. By default, decoding is greedy and the number of tokens is not limited. Options that
 * the AI SDK does not have are passed in `providerOptions: { "lightning-m1": { minP, repetitionPenalty, template, … } }`. Unsupported
 * settings produce warnings.
 *
 * @param model a `MiniMaxM1`, a `RemoteModel`, or any other `LanguageModel`
 * @throws {InputError} in calls: parts of messages that are not text, or values out of range
 */
export function lightningM1(model: LanguageModel, settings: LightningM1Settings = {}): LanguageModelV3 {
  expectArgument("lightningM1: model", isObjectLike(model), "a model", model);
  const named = "name" in model && typeof model.name === "string" ? model.name : PROVIDER_NAME;
  const { modelId = named } = parseOptions(schema, settings, "lightningM1");
  return {
    specificationVersion: "v3",
    provider: PROVIDER_NAME,
    modelId,
    supportedUrls: {},
    async doGenerate(options) {
      return collectParts(streamParts(model, modelId, convertCall(options), new AbortController(), options.abortSignal));
    },
    async doStream(options) {
      return { stream: await openStream(model, modelId, options) };
    },
  };
}

/**
 * Yields the stream parts of one call. The first part waits for the model's first token, so that an error before that token rejects the
 * call itself.
 *
 * @param control aborts the generation, as `signal` does
 */
async function* streamParts(
  model: LanguageModel,
  modelId: string,
  { messages, options, tools, warnings }: ConvertedCall,
  control: AbortController,
  signal: AbortSignal | undefined,
): AsyncGenerator<LanguageModelV3StreamPart, void, undefined> {
  const timestamp = new Date();
  const unfollow = followSignals(control, [signal]);
  try {
    // The prompt of a local model is formatted here, to see whether it ends in <think>. A remote model has no tokenizer, so this remains
    // unknown.
    const prompt = model.tokenizer && (await model.formatChat(messages, { tools, template: options.template }));
    const answer = new StreamParts(tools.length > 0, /<think>\s*$/.test(prompt ?? ""));
    const generation = model.generate(messages, { ...options, signal: control.signal });
    let stop: StopReason | undefined;
    let begun = false;
    for await (const token of generation) {
      if (!begun) {
        begun = true;
        yield { type: "stream-start", warnings };
        yield { type: "response-metadata", id: uniqueId("answer"), timestamp, modelId };
      }
      yield* answer.push(token);
      stop = token.stop;
    }
    yield* answer.end();
    yield {
      type: "finish",
      finishReason: { unified: answer.calls > 0 ? "tool-calls" : stop ? FINISH_REASONS[stop] : "other", raw: stop },
      usage: usageOf(generation.usage, answer.tokens),
      providerMetadata: { [PROVIDER_NAME]: { seed: generation.seed } },
    };
  } finally {
    unfollow();
  }
}

/** Converts token counts to the usage of the AI SDK. Unknown counts are undefined. */
function usageOf({ promptTokens, completionTokens }: Usage, counted: StreamParts["tokens"]): LanguageModelV3Usage {
  const total = completionTokens ?? counted?.total;
  return {
    inputTokens: { total: promptTokens, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
    outputTokens: {
      total,
      reasoning: counted?.reasoning,
      text: counted && total !== undefined ? Math.max(0, total - counted.reasoning) : undefined,
    },
  };
}

async function openStream(
  model: LanguageModel,
  modelId: string,
  options: LanguageModelV3CallOptions,
): Promise<ReadableStream<LanguageModelV3StreamPart>> {
  const cancelled = new AbortController();
  const parts = streamParts(model, modelId, convertCall(options), cancelled, options.abortSignal);
  let next: IteratorResult<LanguageModelV3StreamPart, void> | undefined = await parts.next();
  return new ReadableStream<LanguageModelV3StreamPart>({
    async pull(controller) {
      try {
        const { done, value } = next ?? (await parts.next());
        next = undefined;
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        if (cancelled.signal.aborted) return controller.error(error);
        controller.enqueue({ type: "error", error });
        controller.enqueue({
          type: "finish",
          finishReason: { unified: "error", raw: undefined },
          usage: usageOf({}, undefined),
        });
        controller.close();
      }
    },
    async cancel(reason) {
      cancelled.abort(reason);
      await parts.return();
    },
  });
}

/** Collects the parts of a stream into one result. */
async function collectParts(parts: AsyncIterable<LanguageModelV3StreamPart>): Promise<LanguageModelV3GenerateResult> {
  const content: LanguageModelV3Content[] = [];
  const result: Partial<LanguageModelV3GenerateResult> = {};
  for await (const part of parts) {
    const last = content.at(-1);
    switch (part.type) {
      case "stream-start":
        result.warnings = part.warnings;
        break;
      case "response-metadata":
        result.response = { id: part.id, timestamp: part.timestamp, modelId: part.modelId };
        break;
      case "reasoning-start":
        content.push({ type: "reasoning", text: "" });
        break;
      case "text-start":
        content.push({ type: "text", text: "" });
        break;
      case "reasoning-delta":
      case "text-delta":
        if (last?.type === "reasoning" || last?.type === "text") last.text += part.delta;
        break;
      case "tool-call":
        content.push(part);
        break;
      case "finish":
        result.finishReason = part.finishReason;
        result.usage = part.usage;
        result.providerMetadata = part.providerMetadata;
    }
  }
  return { content, ...result } as LanguageModelV3GenerateResult;
}
