// Seeded numbers: the same on every run, in every process.

/** Uniform in [−0.5, 0.5). */
export function random(size, seed) {
  let state = seed >>> 0;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  });
}

export function randomIds(length, vocabSize, seed) {
  return Array.from(random(length, seed), (x) => Math.floor((x + 0.5) * vocabSize));
}
