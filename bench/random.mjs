// Seeded numbers, which are the same in every run and every process.

/** Returns numbers that are uniform in [−0.5, 0.5). */
export function random(size, seed) {
  const numbers = new Float32Array(size);
  let state = Math.imul(seed, 2654435761) >>> 0;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    numbers[i] = state / 2 ** 32 - 0.5;
  }
  return numbers;
}

export function randomIds(length, vocabSize, seed) {
  return Array.from(random(length, seed), (x) => Math.floor((x + 0.5) * vocabSize));
}
