// Reads GGUF files, independently of the code that writes them.

export interface GgufTensor {
  /** Outermost first. */
  readonly shape: readonly number[];
  /** The number of the type in the format: 0 F32, 1 F16, 8 Q8_0, 30 BF16. */
  readonly type: number;
  readonly offset: number;
  /** The tensor's bytes, without padding. */
  readonly bytes: Uint8Array;
  readonly values: Float32Array;
}

export interface GgufFile {
  readonly version: number;
  readonly metadata: ReadonlyMap<string, unknown>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  /** Where the tensors begin in the file. */
  readonly dataOffset: number;
}

/** Bytes and numbers per block, by the number of the type. */
const BLOCKS: Readonly<Record<number, readonly [bytes: number, numbers: number]>> = { 0: [4, 1], 1: [2, 1], 8: [34, 32], 30: [2, 1] };

/** Reads a whole file. @throws {Error} anything that the format does not allow, or bytes that belong to nothing */
export function readGguf(file: Uint8Array): GgufFile {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let at = 0;
  const advance = (bytes: number) => {
    at += bytes;
    return at - bytes;
  };
  const u32 = () => view.getUint32(advance(4), true);
  const u64 = () => Number(view.getBigUint64(advance(8), true));
  const text = () => {
    const length = u64();
    return new TextDecoder("utf-8", { fatal: true }).decode(file.subarray(advance(length), at));
  };
  const value = (type: number): unknown => {
    if (type === 4) return u32();
    if (type === 5) return view.getInt32(advance(4), true);
    if (type === 6) return view.getFloat32(advance(4), true);
    if (type === 7) {
      const byte = view.getUint8(advance(1));
      if (byte > 1) throw new Error(`expected a bool, got ${byte}`);
      return byte === 1;
    }
    if (type === 8) return text();
    if (type === 9) {
      const item = u32();
      return Array.from({ length: u64() }, () => value(item));
    }
    throw new Error(`unknown type of value ${type}`);
  };
  if (new TextDecoder().decode(file.subarray(advance(4), 4)) !== "GGUF") throw new Error("no GGUF file");
  const version = u32();
  const [tensorCount, entryCount] = [u64(), u64()];
  const metadata = new Map<string, unknown>();
  for (let i = 0; i < entryCount; i++) {
    const key = text();
    if (metadata.has(key)) throw new Error(`${key} twice`);
    metadata.set(key, value(u32()));
  }
  const described = Array.from({ length: tensorCount }, () => {
    const name = text();
    const shape = Array.from({ length: u32() }, u64).reverse();
    return { name, shape, type: u32(), offset: u64() };
  });
  const dataOffset = Math.ceil(at / 32) * 32;
  const expectZeros = (begin: number, end: number) => {
    if (file.subarray(begin, end).some((byte) => byte !== 0)) throw new Error(`expected zeros at ${begin}`);
  };
  expectZeros(at, dataOffset);
  const tensors = new Map<string, GgufTensor>();
  let expected = 0;
  for (const { name, shape, type, offset } of described) {
    if (tensors.has(name)) throw new Error(`${name} twice`);
    if (offset !== expected) throw new Error(`${name}: expected offset ${expected}, got ${offset}`);
    const [blockBytes, blockNumbers] = BLOCKS[type]!;
    if (shape.at(-1)! % blockNumbers !== 0) throw new Error(`${name}: rows are not whole blocks`);
    const length = (shape.reduce((product, dim) => product * dim, 1) / blockNumbers) * blockBytes;
    const bytes = file.slice(dataOffset + offset, dataOffset + offset + length);
    if (bytes.length !== length) throw new Error(`${name}: the file ends too early`);
    expected = Math.ceil((offset + length) / 32) * 32;
    expectZeros(dataOffset + offset + length, dataOffset + expected);
    tensors.set(name, { shape, type, offset, bytes, values: decode(bytes, type) });
  }
  if (dataOffset + expected !== file.byteLength) throw new Error(`expected ${dataOffset + expected} bytes, got ${file.byteLength}`);
  return { version, metadata, tensors, dataOffset };
}

function decode(bytes: Uint8Array, type: number): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (type === 0) return Float32Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
  if (type === 1) return Float32Array.from({ length: bytes.length / 2 }, (_, i) => half(view.getUint16(2 * i, true)));
  if (type === 30) {
    const words = Uint32Array.from({ length: bytes.length / 2 }, (_, i) => view.getUint16(2 * i, true) << 16);
    return new Float32Array(words.buffer);
  }
  return Float32Array.from({ length: (bytes.length / 34) * 32 }, (_, i) => {
    const block = Math.floor(i / 32) * 34;
    return half(view.getUint16(block, true)) * view.getInt8(block + 2 + (i % 32));
  });
}

/** Decodes a float16 number, from its definition. */
export function half(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15, (bits >> 10) & 31, bits & 1023];
  const magnitude =
    exponent === 31 ? (fraction ? Number.NaN : Infinity) : exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction;
  return sign ? -magnitude : magnitude;
}
