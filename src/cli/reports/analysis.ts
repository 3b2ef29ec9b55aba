import {
  benchmarkClaims,
  benchmarkModels,
  benchmarks,
  type Comparison,
  type CountingRule,
  compareGeneration,
  countingRules,
  deepseekR1,
  type Flops,
  generationFlops,
  leads,
  type ParameterTable,
  type PeerParameters,
  parameterTable,
  passFlops,
  peerParameters,
  qwen3,
  reportedTrainingCost,
  standardError,
  type TrainingCost,
  tauAverage,
} from "../../analysis/index.js";
import type { Graph } from "../../index.js";
import { type Memory, memoryReport } from "./memory.js";

type FlopsAt = Flops & { readonly tokens: number };

/** What `analyze` says about a model; `--json` prints this object as it is. */
export interface Analysis extends ParameterTable, Omit<Comparison, "series"> {
  readonly name: string;
  /** Operations of a prompt in one pass, and of generating tokens one by one, under either rule. */
  readonly flops: Readonly<Record<CountingRule, { readonly prompt: readonly FlopsAt[]; readonly generation: readonly FlopsAt[] }>>;
  readonly peers: readonly {
    readonly name: string;
    readonly context: number;
    readonly published: { readonly parameters: number; readonly activated: number };
    readonly counted: PeerParameters;
  }[];
  readonly memory: Memory;
  readonly reportedTrainingCost: TrainingCost;
}

/** What is counted at which sizes. */
export interface Sizes {
  /** Tokens at which operations are counted. */
  readonly lengths: readonly number[];
  /** Tokens of a sequence for which memory is counted. */
  readonly contexts: readonly number[];
  /** Sequences at a time. */
  readonly batch: number;
}

export function analyzeGraph(name: string, graph: Graph, { lengths, contexts, batch }: Sizes): Analysis {
  const { ratioToDeepSeekR1, readings, claims } = compareGeneration(graph, name);
  const at = (rule: CountingRule) => ({
    prompt: lengths.map((tokens) => ({ tokens, ...passFlops(graph, { tokens, rule }) })),
    generation: lengths.map((tokens) => ({ tokens, ...generationFlops(graph, { tokens, rule }) })),
  });
  return {
    name,
    ...parameterTable(graph),
    flops: Object.fromEntries(countingRules.map((rule) => [rule, at(rule)])) as unknown as Analysis["flops"],
    ratioToDeepSeekR1,
    readings,
    claims,
    peers: [deepseekR1, qwen3].map((peer) => ({
      name: peer.name,
      context: peer.context,
      published: peer.published,
      counted: peerParameters(peer),
    })),
    memory: memoryReport(graph, contexts, batch),
    reportedTrainingCost: reportedTrainingCost(),
  };
}

/** What `analyze --benchmarks` says. */
export function benchmarkReport() {
  const swe = benchmarks.find(({ name }) => name === "SWE-bench Verified")!;
  return {
    models: benchmarkModels,
    benchmarks,
    leadsOf80kOver40k: leads("MiniMax-M1-80k", "MiniMax-M1-40k"),
    tauBenchAverages: Object.fromEntries(benchmarkModels.map(({ name }) => [name, tauAverage(name) ?? null])),
    sweBenchVerified: {
      questions: swe.questions!,
      standardError: standardError(56, swe.questions!),
      leadsOf80k: Object.fromEntries(
        benchmarkModels
          .filter(({ name }) => name !== "MiniMax-M1-80k")
          .map(({ name }) => [name, leads("MiniMax-M1-80k", name).find(({ benchmark }) => benchmark === swe.name)!]),
      ),
    },
    claims: benchmarkClaims(),
  };
}

export type BenchmarkReport = ReturnType<typeof benchmarkReport>;
