// Figure 1 (right) of the MiniMax-M1 report, which shows the theoretical operations of generating n tokens, and the report's claims about
// it.

import { expectArgument } from "../base/options.js";
import { graphOf, type Model } from "../model/graph.js";
import { minimaxM1 } from "../model/presets.js";
import { type CountingRule, costOf, countingRules, type GenerationCost, generationCost } from "./flops.js";
import { parameterTable } from "./parameters.js";
import { deepseekR1, type LatentForm, peerCost, qwen3 } from "./peer-models.js";

/**
 * A counting rule and a form of DeepSeek-R1's latent attention. The name begins with the counting rule. It ends with "Absorbed" for
 * absorbed latent attention; otherwise the latent attention is expanded.
 */
export type ComparisonRule = "causal" | "square" | "causalAbsorbed" | "squareAbsorbed";

export const comparisonRules: Readonly<Record<ComparisonRule, { readonly rule: CountingRule; readonly form: LatentForm }>> = {
  causal: { rule: "causal", form: "expanded" },
  square: { rule: "square", form: "expanded" },
  causalAbsorbed: { rule: "causal", form: "absorbed" },
  squareAbsorbed: { rule: "square", form: "absorbed" },
};

/** A point of the report's figure, read off its axes to about two digits. */
export interface Reading {
  readonly model: string;
  readonly tokens: number;
  readonly flops: number;
}

export const figureReadings: readonly Reading[] = [
  { model: "DeepSeek-R1", tokens: 64_000, flops: 2.05e16 },
  { model: "DeepSeek-R1", tokens: 128_000, flops: 7.0e16 },
  { model: "Qwen3-235B-A22B", tokens: 64_000, flops: 1.3e16 },
  { model: "Qwen3-235B-A22B", tokens: 128_000, flops: 4.55e16 },
  { model: "MiniMax-M1", tokens: 64_000, flops: 0.78e16 },
  { model: "MiniMax-M1", tokens: 128_000, flops: 1.72e16 },
];

/** The report's claims: MiniMax-M1 needs less than half of DeepSeek-R1's operations at 64K tokens, and about a quarter at 100K tokens. */
const RATIO_CLAIMS = [
  { tokens: 65_536, claimed: 0.5 },
  { tokens: 100_000, claimed: 0.25 },
] as const;

/** One model of the figure. */
export interface Series {
  readonly model: string;
  /** The longest context in tokens for which the model is published. */
  readonly context: number;
  readonly cost: GenerationCost;
  /** The cost with absorbed latent attention, if the model has latent attention. */
  readonly absorbed?: GenerationCost;
}

export interface Claim {
  readonly tokens: number;
  /** The report's upper bound of the ratio to DeepSeek-R1's operations. */
  readonly claimed: number;
  readonly ratio: Readonly<Record<ComparisonRule, number>>;
  readonly holds: Readonly<Record<ComparisonRule, boolean>>;
  /** The smallest number of tokens at which the ratio is at most `claimed`. */
  readonly reachedAt: Readonly<Record<ComparisonRule, number>>;
}

export interface Comparison {
  readonly series: readonly Series[];
  readonly ratioToDeepSeekR1: Readonly<Record<ComparisonRule, Readonly<Record<number, number>>>>;
  /** The points read off the report's figure, with the computed operations. Empty for models other than MiniMax-M1. */
  readonly readings: readonly (Reading & Readonly<Record<CountingRule, number>>)[];
  /** The report's claims. Empty for models other than MiniMax-M1. */
  readonly claims: readonly Claim[];
}

/**
 * Compares the operations of generating n tokens with those of DeepSeek-R1 and Qwen3-235B-A22B. Checks the report's claims about the ratio
 * under each rule.
 *
 * @param name name of the model's series. MiniMax-M1 is recognised by its parameter count and cost, and keeps its own name
 * @throws {ConfigError} a configuration of another architecture, or an inconsistent one
 */
export function compareGeneration(model: Model = minimaxM1, name = "this model"): Comparison {
  const cost = generationCost(model);
  const isM1 = isMiniMaxM1(model);
  const series: Series[] = [
    { model: "DeepSeek-R1", context: deepseekR1.context, cost: peerCost(deepseekR1), absorbed: peerCost(deepseekR1, "absorbed") },
    { model: "Qwen3-235B-A22B", context: qwen3.context, cost: peerCost(qwen3) },
    isM1 ? { model: "MiniMax-M1", context: 1_000_000, cost } : { model: name, context: graphOf(model).config.maxPositionEmbeddings, cost },
  ];
  return {
    series,
    ratioToDeepSeekR1: byRule((rule) =>
      Object.fromEntries(RATIO_CLAIMS.map(({ tokens }) => [tokens, ratioToDeepSeekR1(cost, tokens, rule)])),
    ),
    readings: isM1 ? figureReadings.map((reading) => ({ ...reading, ...readingUnderRules(series, reading) })) : [],
    claims: isM1 ? RATIO_CLAIMS.map((claim) => checkClaim(cost, claim)) : [],
  };
}

/** Computes the operations at a point of the report's figure, under both counting rules. */
function readingUnderRules(series: readonly Series[], { model, tokens }: Reading): Readonly<Record<CountingRule, number>> {
  const { cost } = series.find((one) => one.model === model)!;
  return { causal: costOf(cost, tokens, "causal"), square: costOf(cost, tokens, "square") };
}

/** Computes the operations of generating n tokens, divided by those of DeepSeek-R1. */
export function ratioToDeepSeekR1(cost: GenerationCost, tokens: number, by: ComparisonRule): number {
  const known = typeof by === "string" && Object.hasOwn(comparisonRules, by);
  expectArgument("ratioToDeepSeekR1: by", known, Object.keys(comparisonRules).join(" or "), by);
  const { rule, form } = comparisonRules[by];
  return costOf(cost, tokens, rule) / costOf(peerCost(deepseekR1, form), tokens, rule);
}

function checkClaim(cost: GenerationCost, { tokens, claimed }: (typeof RATIO_CLAIMS)[number]): Claim {
  const ratio = byRule((rule) => ratioToDeepSeekR1(cost, tokens, rule));
  return {
    tokens,
    claimed,
    ratio,
    holds: byRule((rule) => ratio[rule] <= claimed),
    reachedAt: byRule((rule) => reachedAt(cost, claimed, rule)),
  };
}

/**
 * Returns the number of tokens n at which the cost is `ratio` times that of DeepSeek-R1. Solves a·n + b·pairs(n) = ratio · (a'·n +
 * b'·pairs(n)), where a' and b' belong to DeepSeek-R1. pairs(n)/n is (n + 1)/2 for causal pairs and n for all pairs.
 */
function reachedAt({ perToken, perPair }: GenerationCost, ratio: number, by: ComparisonRule): number {
  const { rule, form } = comparisonRules[by];
  const other = peerCost(deepseekR1, form);
  const pairsPerToken = (perToken - ratio * other.perToken) / (ratio * other.perPair - perPair);
  return Math.ceil(rule === "causal" ? 2 * pairsPerToken - 1 : pairsPerToken);
}

/** Returns whether a model is the published MiniMax-M1, judging by its parameter count and cost. */
export function isMiniMaxM1(model: Model): boolean {
  const [own, published] = [model, minimaxM1].map((one) => ({ ...generationCost(one), count: parameterTable(one).parameterCount }));
  return own!.count === published!.count && own!.perToken === published!.perToken && own!.perPair === published!.perPair;
}

function byRule<T>(value: (rule: ComparisonRule) => T): Readonly<Record<ComparisonRule, T>> {
  const names = Object.keys(comparisonRules) as ComparisonRule[];
  return Object.fromEntries(names.map((rule) => [rule, value(rule)])) as Record<ComparisonRule, T>;
}

/** Computes the points of the figure: every series at the given lengths, under both counting rules. */
export function figurePoints(series: readonly Series[], lengths: readonly number[]): FigurePoint[] {
  expectArgument("figurePoints: series", Array.isArray(series), "an array of series", series);
  expectArgument("figurePoints: lengths", Array.isArray(lengths), "an array of lengths", lengths);
  return series.flatMap(({ model, cost, absorbed }) =>
    lengths.map((tokens) => {
      const [causal, square] = countingRules.map((rule) => costOf(cost, tokens, rule)) as [number, number];
      if (!absorbed) return { model, tokens, causal, square };
      const [causalAbsorbed, squareAbsorbed] = countingRules.map((rule) => costOf(absorbed, tokens, rule)) as [number, number];
      return { model, tokens, causal, square, causalAbsorbed, squareAbsorbed };
    }),
  );
}

export interface FigurePoint {
  readonly model: string;
  readonly tokens: number;
  readonly causal: number;
  readonly square: number;
  readonly causalAbsorbed?: number;
  readonly squareAbsorbed?: number;
}
