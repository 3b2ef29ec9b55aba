/** Computes FNV-1a over 32-bit words. A single changed word always changes the hash. */
export function fnv1a(words: ArrayLike<number>, seed = 0x811c9dc5): number {
  let h = seed;
  for (let i = 0; i < words.length; i++) h = Math.imul(h ^ words[i]!, 0x01000193);
  return h >>> 0;
}
