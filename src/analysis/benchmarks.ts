// The report's benchmark table (arXiv 2506.13585, table 2, as in the published model card), in percent.

import { expectArgument, isObjectLike } from "../base/options.js";

/** The models of the table, in the order of each row's scores. */
export const benchmarkModels = [
  { name: "MiniMax-M1-80k", thinkingTokens: 80_000, open: true },
  { name: "MiniMax-M1-40k", thinkingTokens: 40_000, open: true },
  { name: "Qwen3-235B-A22B", thinkingTokens: 32_000, open: true },
  { name: "DeepSeek-R1-0528", thinkingTokens: 64_000, open: true },
  { name: "DeepSeek-R1", thinkingTokens: 32_000, open: true },
  { name: "Seed-Thinking-v1.5", thinkingTokens: 32_000, open: false },
  { name: "Claude 4 Opus", thinkingTokens: 64_000, open: false },
  { name: "Gemini 2.5 Pro (06-05)", thinkingTokens: 64_000, open: false },
  { name: "OpenAI o3", thinkingTokens: 100_000, open: false },
] as const;

export type BenchmarkModel = (typeof benchmarkModels)[number]["name"];

export interface Benchmark {
  readonly category: string;
  readonly name: string;
  /**
   * Number of questions. Undefined if it is not fixed or not known. For SWE-bench Verified, these are the 486 of 500 tasks that MiniMax
   * could run.
   */
  readonly questions?: number;
  /** Scores in percent, in the order of {@link benchmarkModels}. Undefined if the report has no score. */
  readonly scores: readonly (number | undefined)[];
}

const none = undefined;

export const benchmarks: readonly Benchmark[] = [
  row("mathematics", "AIME 2024", 30, [86.0, 83.3, 85.7, 91.4, 79.8, 86.7, 76.0, 92.0, 91.6]),
  row("mathematics", "AIME 2025", 30, [76.9, 74.6, 81.5, 87.5, 70.0, 74.0, 75.5, 88.0, 88.9]),
  row("mathematics", "MATH-500", 500, [96.8, 96.0, 96.2, 98.0, 97.3, 96.7, 98.2, 98.8, 98.1]),
  row("coding", "LiveCodeBench", none, [65.0, 62.3, 65.9, 73.1, 55.9, 67.5, 56.6, 77.1, 75.8]),
  row("coding", "FullStackBench", none, [68.3, 67.6, 62.9, 69.4, 70.1, 69.9, 70.3, none, 69.3]),
  row("knowledge", "GPQA Diamond", 198, [70.0, 69.2, 71.1, 81.0, 71.5, 77.3, 79.6, 86.4, 83.3]),
  row("knowledge", "HLE (no tools)", none, [8.4, 7.2, 7.6, 17.7, 8.6, 8.2, 10.7, 21.6, 20.3]),
  row("knowledge", "ZebraLogic", 1000, [86.8, 80.1, 80.3, 95.1, 78.7, 84.4, 95.1, 91.6, 95.8]),
  row("knowledge", "MMLU-Pro", 12_032, [81.1, 80.6, 83.0, 85.0, 84.0, 87.0, 85.0, 86.0, 85.0]),
  row("software", "SWE-bench Verified", 486, [56.0, 55.6, 34.4, 57.6, 49.2, 47.0, 72.5, 67.2, 69.1]),
  row("long context", "OpenAI-MRCR (128k)", none, [73.4, 76.1, 27.7, 51.5, 35.8, 54.3, 48.9, 76.8, 56.5]),
  row("long context", "OpenAI-MRCR (1M)", none, [56.2, 58.6, none, none, none, none, none, 58.8, none]),
  row("long context", "LongBench-v2", 503, [61.5, 61.0, 50.1, 52.1, 58.3, 52.5, 55.6, 65.0, 58.8]),
  row("tool use", "TAU-bench (airline)", 50, [62.0, 60.0, 34.7, 53.5, none, 44.0, 59.6, 50.0, 52.0]),
  row("tool use", "TAU-bench (retail)", 115, [63.5, 67.8, 58.6, 63.9, none, 55.7, 81.4, 67.0, 73.9]),
  row("factuality", "SimpleQA", 4326, [18.5, 17.9, 11.0, 27.8, 30.1, 12.9, none, 54.0, 49.4]),
  row("assistant", "MultiChallenge", 273, [44.7, 44.7, 40.0, 45.0, 40.7, 43.0, 45.8, 51.8, 56.5]),
];

function row(category: string, name: string, questions: number | undefined, scores: readonly (number | undefined)[]): Benchmark {
  return { category, name, ...(questions !== undefined && { questions }), scores };
}

/** Returns a model's score in percent. Returns undefined if the report has none. */
export function scoreOf(benchmark: Benchmark, model: BenchmarkModel): number | undefined {
  expectArgument("scoreOf: benchmark", isObjectLike(benchmark) && Array.isArray(benchmark.scores), "one of benchmarks", benchmark);
  return benchmark.scores[benchmarkModels.findIndex(({ name }) => name === model)];
}

/**
 * Computes the standard error of a score in percentage points: `100 · sqrt(p(1 − p)/n)` for a fraction p of n questions with a right
 * answer. For scores that average several answers per question, it is an upper bound of the error due to the choice of questions.
 */
export function standardError(percent: number, questions: number): number {
  const p = percent / 100;
  return 100 * Math.sqrt((p * (1 - p)) / questions);
}

/** One model's lead over another, in points. */
export interface Lead {
  readonly benchmark: string;
  readonly points: number;
  /** Standard error of the difference of two independent fractions; undefined if the number of questions is unknown. */
  readonly standardError: number | undefined;
  /** Whether the lead exceeds two standard errors; undefined if the standard error is unknown. */
  readonly clear: boolean | undefined;
}

/** Returns the lead of one model over another on every benchmark for which both have scores. */
export function leads(model: BenchmarkModel, other: BenchmarkModel): Lead[] {
  return benchmarks.flatMap((benchmark) => {
    const [a, b] = [scoreOf(benchmark, model), scoreOf(benchmark, other)];
    if (a === undefined || b === undefined) return [];
    const { name, questions } = benchmark;
    const error = questions === undefined ? undefined : Math.hypot(standardError(a, questions), standardError(b, questions));
    const points = Number((a - b).toFixed(1));
    return [{ benchmark: name, points, standardError: error, clear: error === undefined ? undefined : Math.abs(points) > 2 * error }];
  });
}

/** Returns the mean of a model's two TAU-bench scores. */
export function tauAverage(model: BenchmarkModel): number | undefined {
  const scores = benchmarks.filter(({ name }) => name.startsWith("TAU-bench")).map((benchmark) => scoreOf(benchmark, model));
  if (scores.includes(undefined)) return undefined;
  return Number(((scores as number[]).reduce((sum, score) => sum + score, 0) / scores.length).toFixed(2));
}
