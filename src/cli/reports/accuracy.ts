import { setImmediate } from "node:timers/promises";
import type { MiniMaxM1 } from "../../index.js";

/** Precision of the weight matrices, or of keys and values. */
type Precision = { readonly dtype: "bf16" | "q8" | "q4" } | { readonly kv: "bf16" | "q8" };

/** The effect of a narrower precision on a model, measured on text that the model itself sampled. */
export interface Accuracy {
  readonly precision: Precision;
  /** Memory of the weights and of the state after the longest text. */
  readonly usedBytes: number;
  /** Root mean square of the logit differences, relative to the root mean square of the exact logits. */
  readonly logitError: number;
  /** Share of positions at which the most probable next token is the same. */
  readonly agreement: number;
  /** Mean Kullback–Leibler divergence from the exact distribution, in nats. */
  readonly divergence: number;
  readonly perplexity: number;
}

export interface AccuracyReport {
  /** Number of tokens compared. The model samples them at temperature 1, one text per seed from 0 on. */
  readonly tokens: number;
  readonly usedBytes: number;
  /** Perplexity with the weights as stored. */
  readonly perplexity: number;
  readonly precisions: readonly Accuracy[];
}

const COMPARED_TOKENS = 256;
/** Maximum number of sampled texts, for models that stop early. */
const MAX_TEXTS = 64;

type LoadModel = (options: { dtype?: "bf16" | "q8" | "q4"; kv?: "bf16" | "q8" }) => Promise<MiniMaxM1>;

/**
 * Loads the model as stored, and in each narrower precision of its weights and of its keys and values. Compares their logits on
 * the same tokens.
 *
 * @param load loads the model with the given options
 * @param signal aborts between two tokens or texts
 */
export async function measureAccuracy(load: LoadModel, signal: AbortSignal): Promise<AccuracyReport> {
  using exact = await load({});
  const texts = await sampleTexts(exact, signal);
  const { logits, usedBytes } = await computeLogits(exact, texts, signal);
  exact.dispose();
  const precisions: Accuracy[] = [];
  for (const precision of narrowerPrecisions(exact)) {
    using model = await load(precision);
    const narrow = await computeLogits(model, texts, signal);
    precisions.push({ precision, usedBytes: narrow.usedBytes, ...compare(texts, logits, narrow.logits) });
  }
  return { tokens: texts.flat().length, usedBytes, perplexity: compare(texts, logits, logits).perplexity, precisions };
}

function narrowerPrecisions({ config: { dtype, attnTypeList } }: MiniMaxM1): Precision[] {
  const weights: Precision[] = [...(dtype === "bf16" ? [] : [{ dtype: "bf16" } as const]), { dtype: "q8" }, { dtype: "q4" }];
  return attnTypeList.includes(1) ? [...weights, { kv: "bf16" }, { kv: "q8" }] : weights;
}

/** Computes the logits of each text, and the largest memory use of weights and state. */
async function computeLogits(
  model: MiniMaxM1,
  texts: readonly number[][],
  signal: AbortSignal,
): Promise<{ logits: Float32Array[]; usedBytes: number }> {
  let usedBytes = 0;
  const all: Float32Array[] = [];
  for (const ids of texts) {
    await setImmediate(undefined, { signal });
    using cache = model.newCache();
    const { logits } = model.forward([ids], { cache: [cache] });
    usedBytes = Math.max(usedBytes, model.memory.usedBytes);
    all.push(logits);
  }
  return { logits: all, usedBytes };
}

/** Samples token sequences from the model. */
async function sampleTexts(model: MiniMaxM1, signal: AbortSignal): Promise<number[][]> {
  const { bosTokenId, vocabSize, maxPositionEmbeddings } = model.config;
  const texts: number[][] = [];
  for (let seed = 0, missing = COMPARED_TOKENS; missing > 0 && seed < MAX_TEXTS; seed++) {
    const ids = [bosTokenId ?? seed % vocabSize];
    const maxTokens = Math.max(1, Math.min(missing, maxPositionEmbeddings - 1));
    for await (const { id } of model.generate(ids, { maxTokens, temperature: 1, seed, signal })) ids.push(id);
    texts.push(ids);
    missing -= ids.length;
  }
  return texts;
}

function compare(
  texts: readonly number[][],
  exact: readonly Float32Array[],
  other: readonly Float32Array[],
): Pick<Accuracy, "logitError" | "agreement" | "divergence" | "perplexity"> {
  let [squares, errors, same, divergence, negativeLogprob, tokens, next] = [0, 0, 0, 0, 0, 0, 0];
  for (const [i, ids] of texts.entries()) {
    const width = exact[i]!.length / ids.length;
    for (const t of ids.keys()) {
      const [p, q] = [exact[i]!, other[i]!].map((logits) => logProbabilities(logits.subarray(t * width, (t + 1) * width))) as [
        TokenDistribution,
        TokenDistribution,
      ];
      for (let j = 0; j < width; j++) {
        const [a, b] = [exact[i]![t * width + j]!, other[i]![t * width + j]!];
        squares += a * a;
        errors += (a - b) ** 2;
        divergence += Math.exp(p.values[j]!) * (p.values[j]! - q.values[j]!);
      }
      if (p.top === q.top) same++;
      tokens++;
      if (t + 1 < ids.length) {
        negativeLogprob -= q.values[ids[t + 1]!]!;
        next++;
      }
    }
  }
  return {
    logitError: errors === 0 ? 0 : Math.sqrt(errors / squares),
    agreement: same / tokens,
    divergence: divergence / tokens,
    perplexity: Math.exp(negativeLogprob / next),
  };
}

interface TokenDistribution {
  readonly values: Float64Array;
  readonly top: number;
}

function logProbabilities(logits: Float32Array): TokenDistribution {
  let top = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[top]!) top = i;
  let sum = 0;
  for (const x of logits) sum += Math.exp(x - logits[top]!);
  const shift = logits[top]! + Math.log(sum);
  return { values: Float64Array.from(logits, (x) => x - shift), top };
}
