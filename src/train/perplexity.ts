// How well a model predicts given texts: cross-entropy, perplexity, bits per byte.

import * as v from "valibot";
import { InputError } from "../base/errors.js";
import { yieldToEventLoop } from "../base/event-loop.js";
import { count, expectArgument, isObjectLike, parseOptions, signal } from "../base/options.js";
import { checkIds, isTokenIds } from "../model/token-ids.js";
import type { Transformer } from "../model/transformer.js";
import { take } from "../ops/route.js";
import { targetLogprobs } from "../ops/softmax.js";
import type { EncodedDocument } from "./encode-documents.js";
import type { Trainable } from "./trainer.js";

export interface PerplexityOptions {
  /** Most tokens that the model sees at once, at most its context; by default 2,048 or its context, whichever is less. */
  window?: number;
  /** Tokens between the beginnings of two windows of a longer document, at most `window` (half of it). Less gives more context and costs more. */
  stride?: number;
  /** Ends it between two forward passes by the signal's reason. */
  signal?: AbortSignal;
}

/** How well a model predicts the targets of some documents. */
export interface Perplexity {
  readonly documents: number;
  /** Tokens of all documents. */
  readonly tokens: number;
  /** Tokens that were predicted: all targets but the first token of each document. */
  readonly targets: number;
  /** Bytes that these stand for, in UTF-8 and without special tokens. */
  readonly bytes: number;
  /** −Σ log p / targets, in nats. */
  readonly crossEntropy: number;
  /** exp(crossEntropy), per token: depends on the tokenizer. */
  readonly perplexity: number;
  /** −Σ log₂ p / bytes: comparable between tokenizers. */
  readonly bitsPerByte: number;
  /** As used. */
  readonly window: number;
  readonly stride: number;
}

const options = v.strictObject({ window: v.optional(count), stride: v.optional(count), signal: v.optional(signal) });

/** Default of the longest window. */
const DEFAULT_WINDOW_TOKENS = 2048;
/** Logits that are in memory at once, and tokens of a forward pass at most. */
const [MAX_LOGITS, MAX_PASS_TOKENS] = [2 ** 24, 512];

/**
 * Measures how well a model predicts documents, in whatever precision it was loaded.
 *
 *     crossEntropy = −(1 / targets) Σ log p(token | tokens before it in its window)
 *
 * Each document begins with a fresh state. One of more than `window` tokens is cut into windows whose beginnings are `stride` tokens apart. In each, only tokens that no earlier window predicted
 * count, so every token but the document's first counts exactly once, after at least `window − stride` tokens of context wherever the document has as many.
 *
 * @throws {InputError} options that do not fit, ids outside the vocabulary, or no target at all
 */
export async function perplexity(
  model: Trainable,
  documents: Iterable<EncodedDocument> | AsyncIterable<EncodedDocument>,
  given: PerplexityOptions = {},
): Promise<Perplexity> {
  const { transformer } = model ?? {};
  const { signal, ...cuts } = parseOptions(options, given, "perplexity");
  if (!transformer) throw new InputError("perplexity: model: expected a MiniMaxM1, got something else");
  const areSeveral = isObjectLike(documents) && (Symbol.iterator in documents || Symbol.asyncIterator in documents);
  const expected = "several, as encodeRow makes them (put one into an array)";
  expectArgument("perplexity: documents", areSeveral && !ArrayBuffer.isView(documents), expected, documents);
  const { window, stride } = resolveWindow(transformer, cuts);
  let [number, tokens, targets, bytes, nats] = [0, 0, 0, 0, 0];
  for await (const document of documents) {
    const where = `perplexity: document ${number}`;
    const { ids, weights, targetBytes } = checkDocument(document, where);
    // The context is that of a window.
    for (let at = 0; at < ids.length; at += window) checkIds(ids.subarray(at, at + window), transformer.config, where);
    number++;
    tokens += ids.length;
    bytes += targetBytes;
    // Inputs are all tokens but the last, which predicts nothing that is there.
    for (let begin = 0, done = 1; done < ids.length; begin += stride) {
      const end = Math.min(begin + window, ids.length - 1);
      const due = (t: number) => t >= done && weights[t]! > 0;
      for await (const logp of windowLogprobs(transformer, ids.subarray(begin, end + 1), (t) => due(begin + t), signal)) {
        nats -= logp;
        targets++;
      }
      done = end + 1;
    }
  }
  if (targets === 0)
    throw new InputError("perplexity: expected at least one token to predict, got none (a document has one less than tokens)");
  const crossEntropy = nats / targets;
  return {
    ...{ documents: number, tokens, targets, bytes, crossEntropy },
    ...{ perplexity: Math.exp(crossEntropy), bitsPerByte: nats / Math.LN2 / bytes, window, stride },
  };
}

/** @throws {InputError} something else than `encodeRow` makes */
function checkDocument(document: EncodedDocument, where: string): EncodedDocument {
  const { ids, weights, targetBytes } = document ?? {};
  if (!isTokenIds(ids) || weights?.length !== ids.length || typeof targetBytes !== "number" || !(targetBytes >= 0)) {
    throw new InputError(`${where}: expected { ids, weights, targetBytes }, as encodeRow makes them, got something else`);
  }
  return { ...document, ids: Int32Array.from(ids) };
}

function resolveWindow(
  { config }: Transformer,
  { window: given, stride: step }: { window?: number | undefined; stride?: number | undefined },
) {
  const context = config.maxPositionEmbeddings;
  const window = given ?? Math.min(DEFAULT_WINDOW_TOKENS, context);
  if (window > context) {
    throw new InputError(`perplexity: window: expected at most the model's context of ${context} tokens, got ${window}`);
  }
  const stride = step ?? Math.max(1, Math.floor(window / 2));
  if (stride > window) throw new InputError(`perplexity: stride: expected at most the window of ${window} tokens, got ${stride}`);
  return { window, stride };
}

/** log p of the tokens of a window that are due, from the second on, in order. */
async function* windowLogprobs(
  transformer: Transformer,
  ids: Int32Array,
  due: (t: number) => boolean,
  signal: AbortSignal | undefined,
): AsyncGenerator<number> {
  const { rt } = transformer;
  const size = Math.max(1, Math.min(MAX_PASS_TOKENS, Math.floor(MAX_LOGITS / transformer.config.vocabSize)));
  const cache = transformer.newCache();
  try {
    for (let begin = 0; begin < ids.length - 1; begin += size) {
      const end = Math.min(begin + size, ids.length - 1);
      const rows = Array.from({ length: end - begin }, (_, i) => i).filter((i) => due(begin + i + 1));
      const logp = rt.scope(() => {
        const { hidden } = transformer.forward([{ ids: Array.from(ids.subarray(begin, end)), cache }]);
        if (rows.length === 0) return [];
        const targets = rows.map((i) => ids[begin + i + 1]!);
        return Array.from(rt.f32(targetLogprobs(transformer.logits(take(hidden, rows)), rt.from(targets, [targets.length], "i32"))));
      });
      yield* logp;
      await yieldToEventLoop();
      signal?.throwIfAborted();
    }
  } finally {
    cache.dispose();
  }
}
