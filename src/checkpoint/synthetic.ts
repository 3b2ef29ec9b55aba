import * as v from "valibot";
import { callback, oneOf, parseOptions } from "../base/options.js";
import { type Config, parseConfig } from "../model/config.js";
import { type Block, graph, isConfig } from "../model/graph.js";
import { buildOption, threadsOption } from "../runtime/options.js";
import { Runtime } from "../runtime/runtime.js";
import { SyntheticWeights } from "../weights/synthetic.js";
import type { Checkpoint } from "./checkpoint.js";
import type { LoadOptions } from "./load-options.js";

export type FormulaOptions = Pick<LoadOptions, "build" | "threads" | "kv" | "onKernel" | "onWarning">;

const schema = v.strictObject({
  build: v.optional(buildOption),
  threads: v.optional(threadsOption, "auto"),
  kv: v.optional(oneOf("f32", "bf16", "q8")),
  onKernel: v.optional(callback<NonNullable<LoadOptions["onKernel"]>>()),
  onWarning: v.optional(callback<(message: string) => void>()),
});

/**
 * Creates a checkpoint with synthetic weights. Each weight is computed from its tensor's name and its index ({@link SyntheticWeights}), so
 * a model of any size takes only a few megabytes.
 *
 * @throws {ConfigError} an inconsistent configuration
 * @throws {InputError} invalid options; a configuration with float16
 */
export async function syntheticCheckpoint(config: Config | Record<string, unknown>, options: FormulaOptions = {}): Promise<Checkpoint> {
  const { build, threads, onKernel, onWarning } = parseOptions(schema, options, "formula");
  const typed = isConfig(config) ? config : parseConfig(config, onWarning);
  const { tensors } = graph(typed);
  const rt = await Runtime.create(build, { threads, onWarning });
  rt.onKernel = onKernel;
  try {
    const weights = new SyntheticWeights(rt);
    for (const tensor of tensors) weights.add(tensor, syntheticKind(tensor.block, tensor.shape));
    return { config: typed, rt, weights, buffers: [], files: new Map(), layout: undefined };
  } catch (error) {
    rt.dispose();
    throw error;
  }
}

function syntheticKind(block: Block, shape: readonly number[]) {
  if (shape.length === 1) return "norm";
  return block === "embedding" || block === "router" ? block : "matrix";
}
