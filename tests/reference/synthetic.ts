// Weights by formula, as they are defined: one at a time.

/** FNV-1a of the name, 32 bits. */
export function syntheticSeed(name: string): bigint {
  let hash = 0x811c9dc5n;
  for (const byte of new TextEncoder().encode(name)) hash = ((hash ^ BigInt(byte)) * 0x01000193n) & 0xffffffffn;
  return hash;
}

/** u of the index, in [−1, 1). */
export function syntheticValue(name: string, index: number, seed = syntheticSeed(name)): number {
  let x = (BigInt(index) + seed) & 0xffffffffn;
  x ^= x >> 16n;
  x = (x * 0x7feb352dn) & 0xffffffffn;
  x ^= x >> 15n;
  x = (x * 0x846ca68bn) & 0xffffffffn;
  x ^= x >> 16n;
  return Number(x >> 8n) * 2 ** -23 - 1;
}

/** `[rows, inputs]` of a matrix, rounded to float32 and then to bf16. */
export function syntheticMatrix(name: string, rows: number, inputs: number): Float32Array {
  const scale = Math.fround(Math.sqrt(3) / Math.sqrt(inputs));
  const seed = syntheticSeed(name);
  return new Float32Array(rows * inputs).map((_, i) => toBf16(Math.fround(syntheticValue(name, i, seed) * scale)));
}

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** To nearest, ties to even, by way of the bits. */
export function toBf16(value: number): number {
  float[0] = value;
  bits[0] = (bits[0]! + 0x7fff + ((bits[0]! >>> 16) & 1)) & 0xffff0000;
  return float[0]!;
}
