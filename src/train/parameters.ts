import { InputError } from "../base/errors.js";
import type { Transformer } from "../model/transformer.js";
import { ResidentWeights } from "../weights/resident.js";
import { Parameter } from "./adamw.js";

/**
 * Allocates a gradient and moments for every weight of a model.
 *
 * @throws {InputError} streamed weights, or weights or caches that are not float32
 * @throws {MemoryError} not enough memory
 */
export function createParameters({ weights, kv }: Transformer): Parameter[] {
  if (!(weights instanceof ResidentWeights)) throw new InputError("Trainer: model: expected weights in memory, got streamed weights");
  const specs = [...weights.specs()];
  const narrow = specs.find(({ name }) => weights.at(name).dtype !== "f32");
  if (narrow) {
    throw new InputError(
      `Trainer: model: ${narrow.name}: expected float32 in memory, got ${weights.at(narrow.name).dtype}. Load the model with dtype: "f32".`,
    );
  }
  if (kv !== "f32") throw new InputError(`Trainer: model: expected float32 keys and values, got ${kv}. Load the model with kv: "f32".`);
  const parameters: Parameter[] = [];
  try {
    for (const { name } of specs) parameters.push(new Parameter(name, weights.at(name)));
  } catch (error) {
    for (const parameter of parameters) parameter.dispose();
    throw error;
  }
  return parameters;
}
