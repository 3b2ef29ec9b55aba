// SHA-256 (FIPS 180-4) of data that arrives in parts. `crypto.subtle` hashes only data that is in memory as a whole.

const BLOCK_BYTES = 64;

/** The first 32 bits of the fractional part of a number. */
const fraction = (x: number) => ((x - Math.floor(x)) * 2 ** 32) | 0;

const PRIMES = firstPrimes(64);
/** Initial hash value: fractional parts of the square roots of the first 8 primes. */
const INITIAL = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));
/** Round constants: fractional parts of the cube roots of the first 64 primes. */
const ROUND_CONSTANTS = Int32Array.from(PRIMES, (prime) => fraction(Math.cbrt(prime)));

function firstPrimes(count: number): number[] {
  const primes: number[] = [];
  for (let n = 2; primes.length < count; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  return primes;
}

const rotate = (x: number, bits: number) => (x >>> bits) | (x << (32 - bits));

/** Computes the SHA-256 of a sequence of bytes. */
export class Sha256 {
  private readonly state = Int32Array.from(INITIAL);
  private readonly block = new Uint8Array(BLOCK_BYTES);
  private readonly words = new Int32Array(64);
  private bytes = 0;

  update(data: Uint8Array): this {
    let at = 0;
    const held = this.bytes % BLOCK_BYTES;
    this.bytes += data.byteLength;
    if (held > 0) {
      at = Math.min(BLOCK_BYTES - held, data.byteLength);
      this.block.set(data.subarray(0, at), held);
      if (held + at < BLOCK_BYTES) return this;
      this.compress(new DataView(this.block.buffer), 0);
    }
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    for (; at + BLOCK_BYTES <= data.byteLength; at += BLOCK_BYTES) this.compress(view, at);
    this.block.set(data.subarray(at));
    return this;
  }

  /** Returns the hash in lower-case hexadecimal. No data can be added afterwards. */
  hex(): string {
    const held = this.bytes % BLOCK_BYTES;
    const padding = new Uint8Array((held < 56 ? BLOCK_BYTES : 2 * BLOCK_BYTES) - held);
    padding[0] = 0x80;
    const view = new DataView(padding.buffer);
    view.setUint32(padding.byteLength - 8, Math.floor(this.bytes / 2 ** 29));
    view.setUint32(padding.byteLength - 4, this.bytes * 8);
    this.update(padding);
    return Array.from(this.state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  }

  private compress(view: DataView, at: number): void {
    const { state, words } = this;
    for (let i = 0; i < 16; i++) words[i] = view.getInt32(at + 4 * i);
    for (let i = 16; i < 64; i++) {
      const [x, y] = [words[i - 15]!, words[i - 2]!];
      const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3);
      const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10);
      words[i] = words[i - 16]! + s0 + words[i - 7]! + s1;
    }
    let [a, b, c, d] = [state[0]!, state[1]!, state[2]!, state[3]!];
    let [e, f, g, h] = [state[4]!, state[5]!, state[6]!, state[7]!];
    for (let i = 0; i < 64; i++) {
      const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + ROUND_CONSTANTS[i]! + words[i]!) | 0;
      const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    state[0]! += a;
    state[1]! += b;
    state[2]! += c;
    state[3]! += d;
    state[4]! += e;
    state[5]! += f;
    state[6]! += g;
    state[7]! += h;
  }
}
