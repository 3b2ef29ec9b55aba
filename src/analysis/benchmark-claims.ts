// Checks the report's statements about its benchmark table against that table. The statements are paraphrased.

import { type BenchmarkModel, benchmarkModels, benchmarks, leads, scoreOf, standardError, tauAverage } from "./benchmarks.js";

export interface BenchmarkClaim {
  readonly claim: string;
  /** Whether the report makes this claim. If not, it is a conclusion that a reader might draw from the table. */
  readonly reported: boolean;
  readonly holds: boolean;
  /** The numbers that decide whether the claim holds, as text. */
  readonly because: string;
}

/** Returns all claims, checked against the table. */
export function benchmarkClaims(): BenchmarkClaim[] {
  return [
    longerThinkingClaim(),
    tauAverageClaim(),
    originalModelsClaim(),
    softwareEngineeringClaim(),
    toolUseClaim("MiniMax-M1-40k"),
    toolUseClaim("MiniMax-M1-80k"),
    longContextClaim(),
  ];
}

function longerThinkingClaim(): BenchmarkClaim {
  const all = leads("MiniMax-M1-80k", "MiniMax-M1-40k");
  const behind = all.filter(({ points }) => points < 0);
  const equal = all.filter(({ points }) => points === 0);
  const ahead = all.length - behind.length - equal.length;
  const clear = all.filter(({ points, clear }) => clear && points > 0);
  return {
    reported: true,
    claim: "80k does better than 40k on most benchmarks",
    holds: ahead > all.length / 2,
    because:
      `better on ${ahead} of ${all.length}, equal on ${equal.length} (${names(equal)}), worse on ${behind.length} (${names(behind)}); ` +
      `by more than two standard errors only on ${names(clear)}`,
  };
}

function tauAverageClaim(): BenchmarkClaim {
  const [longer, shorter] = [tauAverage("MiniMax-M1-80k")!, tauAverage("MiniMax-M1-40k")!];
  return {
    reported: false,
    claim: "80k does better than 40k at using tools (mean of both TAU-benches)",
    holds: longer > shorter,
    because:
      `${longer} against ${shorter}: ${differenceText("TAU-bench (airline)")} in airline, ` +
      `${differenceText("TAU-bench (retail)")} in retail`,
  };
}

function differenceText(benchmark: string): string {
  const { points, standardError } = leads("MiniMax-M1-80k", "MiniMax-M1-40k").find((lead) => lead.benchmark === benchmark)!;
  return `${signed(points)} ± ${standardError!.toFixed(1)}`;
}

/**
 * Checks the abstract's claim that MiniMax-M1 is stronger than the original DeepSeek-R1 and Qwen3-235B, above all in software engineering,
 * tool use and long context.
 */
function originalModelsClaim(): BenchmarkClaim {
  const rows = new Set(
    benchmarks.filter(({ category }) => ["software", "tool use", "long context"].includes(category)).map(({ name }) => name),
  );
  const others = ["DeepSeek-R1", "Qwen3-235B-A22B"] as const;
  const all = others.flatMap((other) => leads("MiniMax-M1-80k", other).filter(({ benchmark }) => rows.has(benchmark)));
  const elsewhere = others.map((other) => {
    const rest = leads("MiniMax-M1-80k", other).filter(({ benchmark }) => !rows.has(benchmark));
    return `${rest.filter(({ points }) => points > 0).length} of ${rest.length} against ${other}`;
  });
  return {
    reported: true,
    claim: "80k is ahead of DeepSeek-R1 and Qwen3-235B in software engineering, tool use and long context",
    holds: all.every(({ points }) => points > 0),
    because:
      `ahead in all ${all.length} comparisons there, by ${Math.min(...all.map(({ points }) => points))} points or more; ` +
      `elsewhere in ${elsewhere.join(", ")}`,
  };
}

function softwareEngineeringClaim(): BenchmarkClaim {
  const swe = benchmarks.find(({ name }) => name === "SWE-bench Verified")!;
  const [own, newer] = [scoreOf(swe, "MiniMax-M1-80k")!, scoreOf(swe, "DeepSeek-R1-0528")!];
  const gap = newer - own;
  const others = openModels().filter((model) => model !== "DeepSeek-R1-0528" && !model.startsWith("MiniMax"));
  const error = standardError(own, swe.questions!);
  const behind = (...models: BenchmarkModel[]) => (own - Math.max(...models.map((model) => scoreOf(swe, model)!))).toFixed(1);
  return {
    reported: true,
    claim: "80k is a little behind DeepSeek-R1-0528 on SWE-bench Verified, and well ahead of the other open models",
    holds: gap > 0 && others.every((model) => own - scoreOf(swe, model)! > 2 * error),
    because:
      `${own} against ${newer}: ${gap.toFixed(1)} points, within the standard error of ${error.toFixed(2)} for ${swe.questions} tasks, ` +
      `so the table does not show which is ahead; the same holds for 40k, ${behind("MiniMax-M1-40k")} behind; ` +
      `the next open model is ${behind(...others)} behind`,
  };
}

function toolUseClaim(model: "MiniMax-M1-40k" | "MiniMax-M1-80k"): BenchmarkClaim {
  const others: BenchmarkModel[] = [...openModels().filter((name) => !name.startsWith("MiniMax")), "Gemini 2.5 Pro (06-05)"];
  const ahead = others.flatMap((other) =>
    leads(other, model)
      .filter(({ benchmark, points }) => benchmark.startsWith("TAU-bench") && points > 0)
      .map(({ benchmark, points }) => `${other} leads by ${points} on ${benchmark}`),
  );
  return {
    reported: model === "MiniMax-M1-40k",
    claim: `${model.slice(-3)} is ahead of every other open model and of Gemini 2.5 Pro on both TAU-benches`,
    holds: ahead.length === 0,
    because: ahead.join(", ") || "holds for all models with scores there (DeepSeek-R1 has none)",
  };
}

function longContextClaim(): BenchmarkClaim {
  const rows = benchmarks.filter(({ category }) => category === "long context");
  const better = rows.flatMap((row) => {
    const own = scoreOf(row, "MiniMax-M1-80k")!;
    return benchmarkModels.filter(({ name }) => !name.startsWith("MiniMax") && (scoreOf(row, name) ?? 0) > own).map(({ name }) => name);
  });
  return {
    reported: true,
    claim: "in long context only Gemini 2.5 Pro is ahead of 80k",
    holds: better.every((name) => name.startsWith("Gemini")),
    because:
      `Gemini 2.5 Pro is ahead on ${better.length} of ${rows.length}, and no other model on any ` +
      "(40k does better than 80k on both MRCR benchmarks)",
  };
}

function openModels(): BenchmarkModel[] {
  return benchmarkModels.filter(({ open }) => open).map(({ name }) => name);
}

/** Formats a difference in points with its sign: `+2.0`, `−4.3`. */
export function signed(points: number): string {
  return `${points > 0 ? "+" : points < 0 ? "−" : ""}${Math.abs(points).toFixed(1)}`;
}

function names(leads: readonly { readonly benchmark: string }[]): string {
  return leads.map(({ benchmark }) => benchmark).join(", ") || "none";
}
