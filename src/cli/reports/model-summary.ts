import { type BlockParameters, parameterTable } from "../../analysis/index.js";
import { type CheckpointInspection, type Config, decaySlopes, type Graph } from "../../index.js";
import type { AccuracyReport } from "./accuracy.js";

/** What `inspect` says about a model. Every number is exact; `--json` prints this object as it is. */
export interface ModelSummary {
  readonly name: string;
  readonly dialect: Config["dialect"];
  readonly layers: { readonly count: number; readonly lightning: number; readonly softmax: number; readonly pattern: string };
  readonly hiddenSize: number;
  readonly vocabSize: number;
  readonly maxPositionEmbeddings: number;
  readonly heads: { readonly count: number; readonly keyValue: number; readonly headDim: number; readonly rotaryDim: number };
  readonly experts: { readonly count: number; readonly perToken: number; readonly width: number; readonly shared: boolean };
  readonly tensorCount: number;
  readonly parameterCount: number;
  readonly activatedParameterCount: number;
  readonly checkpointBytes: number;
  readonly blocks: readonly BlockParameters[];
  /** Bytes that one sequence keeps, in float32. */
  readonly state: { readonly lightningBytes: number; readonly keyValueBytesPerToken: number; readonly contexts: readonly StateAt[] };
  /** Of every lightning layer the steepest and the flattest head's λ, on request those of all heads. */
  readonly decaySlopes: readonly LayerSlopes[];
  /** On request: what narrower precisions change. */
  readonly accuracy?: AccuracyReport;
  readonly checkpoint?: Omit<CheckpointInspection, "graph" | "fault"> & { readonly fault: string | undefined };
}

export interface StateAt {
  readonly tokens: number;
  readonly bytes: number;
}

export interface LayerSlopes {
  readonly layer: number;
  readonly steepest: number;
  readonly flattest: number;
  readonly slopes?: readonly number[];
}

/** @param allSlopes whether every head's slope is listed */
export function summarizeModel(name: string, { config, ...model }: Graph, allSlopes: boolean): ModelSummary {
  const { numHiddenLayers, attnTypeList, numAttentionHeads, numKeyValueHeads, headDim, rotaryDim } = config;
  const softmax = attnTypeList.filter((type) => type === 1).length;
  const lightning = numHiddenLayers - softmax;
  const lightningBytes = lightning * numAttentionHeads * headDim * headDim * 4;
  const keyValueBytesPerToken = softmax * 2 * numKeyValueHeads * headDim * 4;
  return {
    name,
    dialect: config.dialect,
    layers: { count: numHiddenLayers, lightning, softmax, pattern: layerPattern(attnTypeList) },
    hiddenSize: config.hiddenSize,
    vocabSize: config.vocabSize,
    maxPositionEmbeddings: config.maxPositionEmbeddings,
    heads: { count: numAttentionHeads, keyValue: numKeyValueHeads, headDim, rotaryDim },
    experts: {
      count: config.numLocalExperts,
      perToken: config.numExpertsPerTok,
      width: config.intermediateSize,
      shared: config.sharedIntermediateSize > 0,
    },
    tensorCount: model.tensors.length,
    parameterCount: model.parameterCount,
    activatedParameterCount: model.activatedParameterCount,
    checkpointBytes: model.checkpointBytes,
    blocks: parameterTable({ config, ...model }).blocks,
    state: {
      lightningBytes,
      keyValueBytesPerToken,
      contexts: contextLengths(config.maxPositionEmbeddings).map((tokens) => ({
        tokens,
        bytes: lightningBytes + tokens * keyValueBytesPerToken,
      })),
    },
    decaySlopes: attnTypeList.flatMap((type, layer) => (type === 0 ? [layerSlopes(config, layer, allSlopes)] : [])),
  };
}

/** `10 × (7 lightning + 1 softmax)`: runs of equal layers, and how often they repeat. */
export function layerPattern(types: readonly (0 | 1)[]): string {
  const runs: { type: 0 | 1; length: number }[] = [];
  for (const type of types) {
    const last = runs.at(-1);
    if (last?.type === type) last.length++;
    else runs.push({ type, length: 1 });
  }
  const texts = runs.map(({ type, length }) => `${length} ${type === 0 ? "lightning" : "softmax"}`);
  for (let period = 2; 2 * period <= texts.length; period++) {
    let repeats = 1;
    while (texts.slice(0, period).every((text, i) => text === texts[repeats * period + i])) repeats++;
    const rest = texts.slice(repeats * period);
    if (repeats > 1 && rest.length < period) return [`${repeats} × (${texts.slice(0, period).join(" + ")})`, ...rest].join(" + ");
  }
  return texts.join(" + ");
}

/** A few lengths up to the longest that the model knows. */
function contextLengths(longest: number): number[] {
  return [...[1024, 32_768, 131_072, 1_048_576].filter((tokens) => tokens < longest), longest];
}

function layerSlopes(config: Config, layer: number, all: boolean): LayerSlopes {
  const slopes = decaySlopes(config, layer);
  const steepest = slopes.reduce((a, b) => Math.max(a, b));
  const flattest = slopes.reduce((a, b) => Math.min(a, b));
  return { layer, steepest, flattest, ...(all && { slopes: [...slopes] }) };
}
