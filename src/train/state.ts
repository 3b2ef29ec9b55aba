import { decodeJson } from "../io/json.js";
import { encodeHeader, type Header, headerBytes, PREFIX_BYTES, parseHeader } from "../io/safetensors.js";
import { CheckpointError } from "../runtime/errors.js";
import type { Parameter } from "./adamw.js";

/** Where a run stands, besides its numbers. */
export interface Position {
  readonly steps: number;
  readonly documents: number;
  readonly progress?: unknown;
}

const FORMAT = "lightning-m1 training state 1";
const PARTS = ["weight", "first", "second"] as const;

/** Weights and moments in float32, to the bit, and where the run stands: a safetensors file. */
export function encodeState(parameters: readonly Parameter[], position: Position): Uint8Array<ArrayBuffer> {
  const tensors = parameters.flatMap(({ name, weight: { shape } }) =>
    PARTS.map((part) => ({ name: `${part}.${name}`, dtype: "F32", shape, bytes: 4 * shape.reduce((size, dim) => size * dim, 1) })),
  );
  const header = encodeHeader(tensors, { format: FORMAT, position: JSON.stringify(position) });
  const file = new Uint8Array(header.byteLength + tensors.reduce((sum, { bytes }) => sum + bytes, 0));
  file.set(header);
  let at = header.byteLength;
  for (const parameter of parameters) {
    const saved = parameter.save();
    for (const part of PARTS) {
      const { buffer, byteLength } = saved[part];
      file.set(new Uint8Array(buffer, 0, byteLength), at);
      at += byteLength;
    }
  }
  return file;
}

/** @throws {CheckpointError} other bytes, damaged ones, or those of another model; nothing is changed then */
export function decodeState(bytes: Uint8Array, parameters: readonly Parameter[]): Position {
  const where = "training state";
  const length = headerBytes(bytes.subarray(0, PREFIX_BYTES), bytes.byteLength, where);
  const { tensors, metadata } = parseHeader(bytes.subarray(PREFIX_BYTES, PREFIX_BYTES + length), bytes.byteLength, where);
  if (metadata.format !== FORMAT) throw new CheckpointError(`${where}: expected "${FORMAT}", got ${JSON.stringify(metadata.format)}`);
  const position = decodeJson(new TextEncoder().encode(metadata.position ?? ""), `${where}: position`) as Partial<Position> | null;
  const isCount = (x: unknown): x is number => Number.isSafeInteger(x) && (x as number) >= 0;
  if (!isCount(position?.steps) || !isCount(position.documents)) {
    throw new CheckpointError(`${where}: position: expected steps and documents, got ${metadata.position}`);
  }
  const named = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const find = (name: string, shape: readonly number[]) => {
    const tensor = named.get(name);
    if (tensor?.dtype !== "F32" || tensor.shape.join() !== shape.join()) {
      const got = tensor ? `[${tensor.shape.join(", ")}] ${tensor.dtype}` : "none";
      throw new CheckpointError(`${where}: ${name}: expected [${shape.join(", ")}] F32, got ${got} (is it of another model?)`);
    }
    // A copy by the constructor: what `slice` gives of a Node Buffer is a view of all of it.
    return () => new Float32Array(new Uint8Array(bytes.subarray(tensor.begin, tensor.end)).buffer);
  };
  if (tensors.length !== PARTS.length * parameters.length) {
    throw new CheckpointError(
      `${where}: expected ${PARTS.length * parameters.length} tensors, got ${tensors.length} (is it of another model?)`,
    );
  }
  const found = parameters.map(({ name, weight: { shape } }) => PARTS.map((part) => find(`${part}.${name}`, shape)));
  for (const [i, parameter] of parameters.entries()) {
    const [weight, first, second] = found[i]!.map((read) => read()) as [Float32Array, Float32Array, Float32Array];
    parameter.restore({ weight, first, second });
  }
  return { steps: position.steps, documents: position.documents, progress: position.progress };
}

/** A state's header, and where the tensors begin. */
export function headerOf(state: Uint8Array): Header & { readonly end: number } {
  const end = PREFIX_BYTES + headerBytes(state.subarray(0, PREFIX_BYTES), state.byteLength, "state");
  return { end, ...parseHeader(state.subarray(PREFIX_BYTES, end), state.byteLength, "state") };
}

/** The same state with more metadata in its header, in pieces. */
export function withMetadata(state: Uint8Array, more: Header["metadata"]): Uint8Array[] {
  const { tensors, metadata, end } = headerOf(state);
  const entries = tensors.map(({ begin, end, ...tensor }) => ({ ...tensor, bytes: end - begin }));
  return [encodeHeader(entries, { ...metadata, ...more }), state.subarray(end)];
}
