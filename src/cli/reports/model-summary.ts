import { type BlockParameters, parameterTable } from "../../analysis/index.js";
import {
  type CheckpointInspection,
  type Config,
  decaySlopes,
  type Graph,
  type LightningSettings,
  type SoftmaxSettings,
} from "../../index.js";
import type { AccuracyReport } from "./accuracy.js";

/** The summary of a model. All numbers are exact. `inspect --json` prints this object unchanged. */
export interface ModelSummary {
  readonly name: string;
  readonly dialect: Config["dialect"];
  readonly layers: { readonly count: number; readonly lightning: number; readonly softmax: number; readonly pattern: string };
  readonly hiddenSize: number;
  readonly vocabSize: number;
  readonly maxPositionEmbeddings: number;
  /** The heads of softmax attention. */
  readonly heads: { readonly count: number; readonly keyValue: number; readonly headDim: number; readonly rotaryDim: number };
  /** Further settings of the two kinds of attention. */
  readonly lightning: LightningSettings;
  readonly softmax: SoftmaxSettings;
  /** If the count is 0, each layer has a dense MLP of this width. */
  readonly experts: { readonly count: number; readonly perToken: number; readonly width: number; readonly shared: boolean };
  readonly tensorCount: number;
  readonly parameterCount: number;
  readonly activatedParameterCount: number;
  readonly checkpointBytes: number;
  readonly blocks: readonly BlockParameters[];
  /** Bytes of the state of one sequence in float32. */
  readonly state: { readonly lightningBytes: number; readonly keyValueBytesPerToken: number; readonly contexts: readonly StateAt[] };
  /** λ of the steepest and the flattest head of each lightning layer; with `--slopes`, of all heads. */
  readonly decaySlopes: readonly LayerSlopes[];
  /** With `--accuracy`: the effect of narrower precisions. */
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

/** Summarizes a model. @param allSlopes whether to list the slope of every head */
export function summarizeModel(name: string, { config, ...model }: Graph, allSlopes: boolean): ModelSummary {
  const { numHiddenLayers, attnTypeList, numAttentionHeads, numKeyValueHeads, headDim, rotaryDim } = config;
  const softmax = attnTypeList.filter((type) => type === 1).length;
  const lightning = numHiddenLayers - softmax;
  const lightningBytes = lightning * config.lightning.heads * config.lightning.headDim ** 2 * 4;
  const keyValueBytesPerToken = softmax * 2 * numKeyValueHeads * headDim * 4;
  return {
    name,
    dialect: config.dialect,
    layers: { count: numHiddenLayers, lightning, softmax, pattern: layerPattern(attnTypeList) },
    hiddenSize: config.hiddenSize,
    vocabSize: config.vocabSize,
    maxPositionEmbeddings: config.maxPositionEmbeddings,
    heads: { count: numAttentionHeads, keyValue: numKeyValueHeads, headDim, rotaryDim },
    lightning: config.lightning,
    softmax: config.softmax,
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

/** Describes the layer pattern as repeated runs of equal layers: `10 × (7 lightning + 1 softmax)`. */
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

/** Returns a few context lengths in tokens, up to the maximum of the model. */
function contextLengths(longest: number): number[] {
  return [...[1024, 32_768, 131_072, 1_048_576].filter((tokens) => tokens < longest), longest];
}

function layerSlopes(config: Config, layer: number, all: boolean): LayerSlopes {
  const slopes = decaySlopes(config, layer);
  const steepest = slopes.reduce((a, b) => Math.max(a, b));
  const flattest = slopes.reduce((a, b) => Math.min(a, b));
  return { layer, steepest, flattest, ...(all && { slopes: [...slopes] }) };
}
