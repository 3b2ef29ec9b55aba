/** Splits an array into `count` rows of equal width. */
export function splitRows(data: Float32Array, count: number): Float32Array[] {
  const width = data.length / count;
  return Array.from({ length: count }, (_, i) => data.subarray(i * width, (i + 1) * width));
}

/** Indices of the k largest values, in descending order. Of equal values, the lower index comes first. */
export function largestIndices(values: Float32Array, k: number): number[] {
  const top: number[] = [];
  for (let n = 0; n < k; n++) {
    let best = -1;
    for (let i = 0; i < values.length; i++) if (!top.includes(i) && (best < 0 || values[i]! > values[best]!)) best = i;
    top.push(best);
  }
  return top;
}

export function argmax(values: Float32Array): number {
  return largestIndices(values, 1)[0]!;
}
