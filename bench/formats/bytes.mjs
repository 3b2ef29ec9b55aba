// Converts numbers to little-endian bytes, for the file formats in this folder.
export const text = (s) => Buffer.from(s, "utf8");

export const bytesOf = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength);

export const u64 = (x) => bytesOf(BigUint64Array.of(BigInt(x)));
