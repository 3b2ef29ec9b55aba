import { CheckpointError } from "../base/errors.js";
import { fnv1a } from "../base/hash.js";
import { decodeJson } from "../base/json.js";
import { encodeSafetensorsHeader, headerLength, PREFIX_BYTES, parseSafetensorsHeader, type SafetensorsHeader } from "../io/safetensors.js";
import type { Parameter } from "./adamw.js";

/** The progress of a run that is saved with a state. */
export interface RunPosition {
  readonly steps: number;
  readonly documents: number;
  readonly progress?: unknown;
}

/** Format names of states. States of format 1 have no checksum, so their contents are not checked. */
const [FORMAT_1, FORMAT] = ["lightning-m1 training state 1", "lightning-m1 training state 2"];
const STATE_PARTS = ["weight", "first", "second"] as const;

/** Encodes weights and moments in float32, exact to the bit, with the position of the run and a checksum, as a safetensors file. */
export function encodeState(parameters: readonly Parameter[], position: RunPosition): Uint8Array<ArrayBuffer> {
  const tensors = parameters.flatMap(({ name, weight: { shape } }) =>
    STATE_PARTS.map((part) => ({ name: `${part}.${name}`, dtype: "F32", shape, bytes: 4 * shape.reduce((size, dim) => size * dim, 1) })),
  );
  const metadata = { format: FORMAT, position: JSON.stringify(position) };
  // The length of the header does not depend on the checksum. The checksum is computed after the tensors are written.
  const begin = encodeSafetensorsHeader(tensors, { ...metadata, checksum: checksumOf(0, metadata) }).byteLength;
  const file = new Uint8Array(begin + tensors.reduce((sum, { bytes }) => sum + bytes, 0));
  let at = begin;
  for (const parameter of parameters) {
    const saved = parameter.save();
    for (const part of STATE_PARTS) {
      const { buffer, byteLength } = saved[part];
      file.set(new Uint8Array(buffer, 0, byteLength), at);
      at += byteLength;
    }
  }
  file.set(encodeSafetensorsHeader(tensors, { ...metadata, checksum: checksumOf(hashBytes(file.subarray(begin)), metadata) }));
  return file;
}

/** Combines the 32-bit hashes of the tensors and of the metadata. A single changed word always changes its hash. */
function checksumOf(tensors: number, metadata: SafetensorsHeader["metadata"]): string {
  const { checksum: _, ...rest } = metadata;
  const text = JSON.stringify(Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1)));
  const own = fnv1a(Uint32Array.from({ length: text.length }, (_, i) => text.charCodeAt(i)));
  return [tensors, own].map((x) => x.toString(16).padStart(8, "0")).join(" ");
}

/** Computes the hash of bytes. @param bytes their number must be a multiple of 4 */
function hashBytes(bytes: Uint8Array): number {
  // A view of 32-bit words needs an aligned start.
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  return fnv1a(new Uint32Array(buffer, byteOffset, byteLength / 4));
}

/**
 * Restores the parameters from a state and returns its position.
 *
 * @throws {CheckpointError} bytes that are not a state, are damaged, or belong to another model; nothing is changed
 */
export function decodeState(bytes: Uint8Array, parameters: readonly Parameter[]): RunPosition {
  const where = "training state";
  const length = headerLength(bytes.subarray(0, PREFIX_BYTES), bytes.byteLength, where);
  const { tensors, metadata } = parseSafetensorsHeader(bytes.subarray(PREFIX_BYTES, PREFIX_BYTES + length), bytes.byteLength, where);
  if (metadata.format !== FORMAT && metadata.format !== FORMAT_1) {
    throw new CheckpointError(`${where}: expected "${FORMAT}", got ${JSON.stringify(metadata.format)}`);
  }
  const position = decodeJson(new TextEncoder().encode(metadata.position ?? ""), `${where}: position`) as Partial<RunPosition> | null;
  const isCount = (x: unknown): x is number => Number.isSafeInteger(x) && (x as number) >= 0;
  if (!isCount(position?.steps) || !isCount(position.documents)) {
    throw new CheckpointError(`${where}: position: expected steps and documents, got ${metadata.position}`);
  }
  const named = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const find = (name: string, shape: readonly number[]) => {
    const tensor = named.get(name);
    if (tensor?.dtype !== "F32" || tensor.shape.join() !== shape.join()) {
      const got = tensor ? `[${tensor.shape.join(", ")}] ${tensor.dtype}` : "none";
      throw new CheckpointError(`${where}: ${name}: expected [${shape.join(", ")}] F32, got ${got}. Is this the state of another model?`);
    }
    // The constructor copies the bytes. `slice` of a Node Buffer would be a view of the whole buffer.
    return () => new Float32Array(new Uint8Array(bytes.subarray(tensor.begin, tensor.end)).buffer);
  };
  if (tensors.length !== STATE_PARTS.length * parameters.length) {
    throw new CheckpointError(
      `${where}: expected ${STATE_PARTS.length * parameters.length} tensors, got ${tensors.length}. Is this the state of another model?`,
    );
  }
  // The checksum is checked last, so that the state of another model or a truncated file gets a more specific message.
  const { format, checksum } = metadata;
  if (
    (format === FORMAT || checksum !== undefined) &&
    checksum !== checksumOf(hashBytes(bytes.subarray(PREFIX_BYTES + length)), metadata)
  ) {
    throw new CheckpointError(
      `${where}: expected the bytes that were saved, got a different checksum. The file is damaged; restore a copy of it.`,
    );
  }
  const found = parameters.map(({ name, weight: { shape } }) => STATE_PARTS.map((part) => find(`${part}.${name}`, shape)));
  for (const [i, parameter] of parameters.entries()) {
    const [weight, first, second] = found[i]!.map((read) => read()) as [Float32Array, Float32Array, Float32Array];
    parameter.restore({ weight, first, second });
  }
  return { steps: position.steps, documents: position.documents, progress: position.progress };
}

/** Reads the header of a state. Returns it with the position at which it ends. */
export function readStateHeader(state: Uint8Array): SafetensorsHeader & { readonly end: number } {
  const end = PREFIX_BYTES + headerLength(state.subarray(0, PREFIX_BYTES), state.byteLength, "state");
  return { end, ...parseSafetensorsHeader(state.subarray(PREFIX_BYTES, end), state.byteLength, "state") };
}

/** Adds metadata to the header of a saved state. Returns the new file in pieces. */
export function addStateMetadata(state: Uint8Array, more: SafetensorsHeader["metadata"]): Uint8Array[] {
  const { tensors, metadata, end } = readStateHeader(state);
  const entries = tensors.map(({ begin, end, ...tensor }) => ({ ...tensor, bytes: end - begin }));
  const all = { ...metadata, ...more };
  const ofTensors = Number.parseInt(metadata.checksum!, 16);
  return [encodeSafetensorsHeader(entries, { ...all, checksum: checksumOf(ofTensors, all) }), state.subarray(end)];
}
