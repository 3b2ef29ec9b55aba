import { createHmac, timingSafeEqual } from "node:crypto";

// Records go from a sandbox to this process over a socket that other code in the sandbox can write to as well. A record is one line: a code
// of authentication over its number and its text, and the text, which is JSON. The key comes with the input, and only the program that reads
// the input knows it. Lines with another code are ignored.

/** Encodes the input of a program: its length in 4 bytes, and JSON with the key. */
export function encodeInput(key: Uint8Array, input: unknown): Buffer {
  const body = Buffer.from(JSON.stringify({ key: Buffer.from(key).toString("hex"), input }));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

/** The code of a record. */
export function recordCode(key: Uint8Array, number: number, text: string): Buffer {
  return createHmac("sha256", key).update(`${number}:${text}`).digest();
}

/** Reads the records that have the right code. */
export class RecordReader {
  readonly records: unknown[] = [];
  private rest: Buffer[] = [];
  private bytes = 0;

  constructor(private readonly key: Uint8Array) {}

  /** Takes bytes as they come. Returns the number of all bytes so far. */
  add(chunk: Buffer): number {
    this.bytes += chunk.length;
    let begin = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, begin)) {
      this.readLine(Buffer.concat([...this.rest, chunk.subarray(begin, end)]).toString());
      this.rest = [];
      begin = end + 1;
    }
    this.rest.push(chunk.subarray(begin));
    return this.bytes;
  }

  private readLine(line: string): void {
    const match = /^([0-9a-f]{64}) (.*)$/.exec(line);
    if (!match) return;
    const code = Buffer.from(match[1]!, "hex");
    if (timingSafeEqual(code, recordCode(this.key, this.records.length, match[2]!))) this.records.push(JSON.parse(match[2]!));
  }
}

/**
 * The beginning of every script: `readInput` and `writeRecord` for the other end of the socket. They keep the functions that they use, so
 * that later code cannot replace them. The key is not a string, which a snapshot of the heap would contain.
 */
export const channelScript = `
const { readInput, writeRecord } = (() => {
  const { readSync, writeSync } = require("fs");
  const { createHmac, Hmac } = require("crypto");
  const { update, digest } = Hmac.prototype;
  const { apply } = Reflect;
  const { stringify } = JSON;
  const { from } = Buffer;
  let key;
  let number = 0;
  function readBytes(length) {
    const bytes = Buffer.allocUnsafeSlow(length);
    for (let at = 0; at < length; ) {
      const count = readSync(3, bytes, at, length - at, null);
      if (count === 0) throw new Error("the input ends early");
      at += count;
    }
    return bytes;
  }
  return {
    readInput() {
      const bytes = readBytes(readBytes(4).readUInt32BE());
      const { key: text, input } = JSON.parse(bytes.toString());
      bytes.fill(0);
      key = Buffer.alloc(32);
      key.write(text, "hex");
      return input;
    },
    writeRecord(record) {
      const text = stringify(record);
      const hmac = createHmac("sha256", key);
      apply(update, hmac, [number++ + ":" + text]);
      const line = from("\\n" + apply(digest, hmac, ["hex"]) + " " + text + "\\n");
      for (let at = 0; at < line.length; ) at += writeSync(3, line, at);
    },
  };
})();
`;
