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

/** The analysis of a model. `analyze --json` prints this object unchanged. */
export interface Analysis extends ParameterTable, Omit<Comparison, "series"> {
  readonly name: string;
  /** FLOPs of a prompt in one forward pass and of generating token by token, under each counting rule. */
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

/** The sizes at which FLOPs and memory are counted. */
export interface Sizes {
  /** Lengths in tokens for FLOPs. */
  readonly lengths: readonly number[];
  /** Lengths of a sequence in tokens for memory. */
  readonly contexts: readonly number[];
  /** Number of simultaneous sequences. */
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

/** Returns the data that `analyze --benchmarks` reports. */
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
