/** Computes the arithmetic mean Σ x / n. The result is NaN if there are no values. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/** Computes quantiles at the given shares within [0, 1], with linear interpolation between neighbouring values. */
export function quantiles<Shares extends readonly number[]>(values: ArrayLike<number>, shares: Shares): { [K in keyof Shares]: number } {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number) => {
    const place = share * (sorted.length - 1);
    const [below, above] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!];
    return below + (above - below) * (place - Math.floor(place));
  };
  return shares.map(at) as { [K in keyof Shares]: number };
}

/** Subtracts the mean from each value. Equal values give exact zeros, without rounding errors. */
export function subtractMean(values: readonly number[]): number[] {
  if (values.every((x) => x === values[0])) return values.map(() => 0);
  const middle = mean(values);
  return values.map((x) => x - middle);
}

/** Computes Pearson's correlation of two series whose means are 0. The result is 0 if either series is constant. */
export function correlation(x: readonly number[], y: readonly number[]): number {
  const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  const norm = Math.sqrt(dot(x, x)) * Math.sqrt(dot(y, y));
  return norm === 0 ? 0 : dot(x, y) / norm;
}

/**
 * Fits a least-squares line through equidistant values, and returns its rise from the first to the last value. The result is 0 for a single
 * value.
 */
export function linearRise(values: readonly number[]): number {
  const last = values.length - 1;
  if (last === 0) return 0;
  const times = values.map((_, t) => t - last / 2);
  return (last * times.reduce((sum, t, i) => sum + t * values[i]!, 0)) / times.reduce((sum, t) => sum + t * t, 0);
}
