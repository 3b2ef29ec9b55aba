// transformers 5 holds a layer's experts in two tensors. With save_original_format=False it also saves them in this form:
//
//     mlp.experts.gate_up_proj [experts, 2 · width, hidden]   per expert: the rows of w1, then the rows of w3
//     mlp.experts.down_proj    [experts, hidden, width]       per expert: w2
//     mlp.gate.weight                                         block_sparse_moe.gate.weight
//
// Every expert's matrix is a contiguous range of such a tensor, so splitting only computes names and offsets; no bytes are moved.

import { WeightError } from "../base/errors.js";
import type { TensorEntry } from "../io/safetensors.js";
import type { Config } from "../model/config.js";
import type { Shard } from "./shards.js";

const FUSED_EXPERTS = /^(model\.layers\.\d+)\.(?:mlp|block_sparse_moe)\.experts\.(gate_up_proj|down_proj)$/;
const RENAMED_TENSORS = /^(model\.layers\.\d+)\.mlp\.(gate\.weight|experts\.\d+\.w[123]\.weight)$/;
const SEPARATE_EXPERTS = /^(model\.layers\.\d+)\.(?:mlp|block_sparse_moe)\.experts\.\d+\./;

const REMEDY = "(save the model with transformers' save_pretrained(…, save_original_format=True))";

/**
 * Replaces fused experts by every expert's matrices under their published names.
 *
 * @throws {WeightError} fused tensors of another shape, one of the two missing, or fused and separate experts in the same layer
 */
export function splitFusedExperts(shards: readonly Shard[], config: Config): Shard[] {
  const names = shards.flatMap(({ tensors }) => tensors.map(({ name }) => name));
  if (!names.some((name) => FUSED_EXPERTS.test(name) || RENAMED_TENSORS.test(name))) return [...shards];
  expectCompleteLayers(names);
  return shards.map((shard) => ({ ...shard, tensors: shard.tensors.flatMap((tensor) => splitTensor(tensor, config)) }));
}

/** Checks that each layer has all of its experts fused, or none. @throws {WeightError} a layer with only some of its experts fused */
function expectCompleteLayers(names: readonly string[]): void {
  const separate = new Map(names.flatMap((name) => (SEPARATE_EXPERTS.test(name) ? [[SEPARATE_EXPERTS.exec(name)![1]!, name]] : [])));
  const fused = new Map<string, string[]>();
  for (const name of names) {
    const [, layer, part] = FUSED_EXPERTS.exec(name) ?? [];
    if (layer) fused.set(layer, [...(fused.get(layer) ?? []), part!]);
  }
  for (const [layer, parts] of fused) {
    const other = separate.get(layer);
    const got = other ? `${parts[0]} and ${other}` : parts.join(", ");
    if (other || [...parts].sort().join() !== "down_proj,gate_up_proj") {
      throw new WeightError(
        `${layer}: experts: expected gate_up_proj and down_proj once each, or every expert's w1, w2 and w3, got ${got} ${REMEDY}`,
      );
    }
  }
}

function splitTensor(
  tensor: TensorEntry,
  { numLocalExperts: experts, intermediateSize: width, hiddenSize: hidden }: Config,
): TensorEntry[] {
  const { name, dtype, shape, begin, end } = tensor;
  const renamed = RENAMED_TENSORS.exec(name);
  if (renamed) return [{ ...tensor, name: `${renamed[1]}.block_sparse_moe.${renamed[2]}` }];
  const [, layer, part] = FUSED_EXPERTS.exec(name) ?? [];
  if (!layer) return [tensor];
  const expected = part === "gate_up_proj" ? [experts, 2 * width, hidden] : [experts, hidden, width];
  if (shape.join() !== expected.join() || !/^(F32|F16|BF16)$/.test(dtype)) {
    throw new WeightError(`${name}: expected [${expected.join(", ")}] F32, F16 or BF16, got [${shape.join(", ")}] ${dtype} ${REMEDY}`);
  }
  const matrices = part === "gate_up_proj" ? ["w1", "w3"] : ["w2"];
  const matrix = part === "gate_up_proj" ? [width, hidden] : [hidden, width];
  const bytes = (end - begin) / (experts * matrices.length);
  return Array.from({ length: experts * matrices.length }, (_, i) => ({
    name: `${layer}.block_sparse_moe.experts.${Math.floor(i / matrices.length)}.${matrices[i % matrices.length]}.weight`,
    dtype,
    shape: matrix,
    begin: begin + i * bytes,
    end: begin + (i + 1) * bytes,
  }));
}
