// Measures how well a model predicts given texts, as cross-entropy, perplexity and bits per byte.

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

/** Options of `perplexity`. */
export interface PerplexityOptions {
  /**
   * Maximum number of tokens that the model sees at once. It is at most the model's context. The default is 2,048, or the context if that
   * is smaller.
   */
  window?: number;
  /**
   * Number of tokens between the beginnings of two windows of a longer document, at most `window` (half of the window). A smaller stride
   * gives more context and costs more.
   */
  stride?: number;
  /** Aborts between two forward passes. The call throws the signal's reason. */
  signal?: AbortSignal;
}

/** Result of `perplexity`. */
export interface Perplexity {
  readonly documents: number;
  /** Number of tokens of all documents. */
  readonly tokens: number;
  /** Number of predicted tokens: all targets except the first token of each document. */
  readonly targets: number;
  /** Number of UTF-8 bytes of the predicted tokens, without special tokens. */
  readonly bytes: number;
  /** Cross-entropy −Σ log p / targets, in nats. */
  readonly crossEntropy: number;
  /** Perplexity exp(crossEntropy), per token. It depends on the tokenizer. */
  readonly perplexity: number;
  /** Bits per byte, −Σ log₂ p / bytes. It can be compared between tokenizers. */
  readonly bitsPerByte: number;
  /** The window that was used, in tokens. */
  readonly window: number;
  /** The stride that was used, in tokens. */
  readonly stride: number;
}

const options = v.strictObject({ window: v.optional(count), stride: v.optional(count), signal: v.optional(signal) });

/** Default window in tokens, if the context is not smaller. */
const DEFAULT_WINDOW_TOKENS = 2048;
/** Maximum number of logits in memory, and maximum number of tokens per forward pass. */
const [MAX_LOGITS, MAX_PASS_TOKENS] = [2 ** 24, 512];

/**
 * Measures how well a model predicts documents, in the precision in which the model was loaded.
 *
 *     crossEntropy = −(1 / targets) Σ log p(token | tokens before it in its window)
 *
 * Each document starts with an empty state. A document of more than `window` tokens is divided into windows that begin `stride` tokens
 * apart. Each window counts only tokens that no earlier window predicted, so every token except the document's first counts exactly once.
 * The context of a token has at least `window − stride` tokens, or all preceding tokens of the document if there are fewer.
 *
 * @throws {InputError} invalid options, ids outside the vocabulary, or no target
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
  const expected = "an iterable of documents, as encodeRow returns them (put a single document into an array)";
  expectArgument("perplexity: documents", areSeveral && !ArrayBuffer.isView(documents), expected, documents);
  const { window, stride } = resolveWindow(transformer, cuts);
  let [number, tokens, targets, bytes, nats] = [0, 0, 0, 0, 0];
  for await (const document of documents) {
    const where = `perplexity: document ${number}`;
    const { ids, weights, targetBytes } = checkDocument(document, where);
    // The length is checked per window, because only a window must fit into the context.
    for (let at = 0; at < ids.length; at += window) checkIds(ids.subarray(at, at + window), transformer.config, where);
    number++;
    tokens += ids.length;
    bytes += targetBytes;
    // The last token is not an input, because it predicts no token of the document.
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
    throw new InputError("perplexity: expected at least one token to predict, got none. A document of n tokens has at most n − 1 targets.");
  const crossEntropy = nats / targets;
  return {
    ...{ documents: number, tokens, targets, bytes, crossEntropy },
    ...{ perplexity: Math.exp(crossEntropy), bitsPerByte: nats / Math.LN2 / bytes, window, stride },
  };
}

/** Validates a document. @throws {InputError} a value that `encodeRow` does not return */
function checkDocument(document: EncodedDocument, where: string): EncodedDocument {
  const { ids, weights, targetBytes } = document ?? {};
  if (!isTokenIds(ids) || weights?.length !== ids.length || typeof targetBytes !== "number" || !(targetBytes >= 0)) {
    throw new InputError(`${where}: expected { ids, weights, targetBytes }, as encodeRow returns them, got something else`);
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

/** Computes log p of the tokens of a window that `due` selects, in order. The first token is never included. */
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
