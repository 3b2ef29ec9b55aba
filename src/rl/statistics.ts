/** Σ x / n */
export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/** The values below which these shares of the numbers lie, linear between neighbours. */
export function quantiles<Shares extends readonly number[]>(values: ArrayLike<number>, shares: Shares): { [K in keyof Shares]: number } {
  const sorted = Float64Array.from(values).sort();
  const at = (share: number) => {
    const place = share * (sorted.length - 1);
    const [below, above] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!];
    return below + (above - below) * (place - Math.floor(place));
  };
  return shares.map(at) as { [K in keyof Shares]: number };
}

/** Less their mean; zeros where there is no difference, which rounding would make up. */
export function subtractMean(values: readonly number[]): number[] {
  if (values.every((x) => x === values[0])) return values.map(() => 0);
  const middle = mean(values);
  return values.map((x) => x - middle);
}

/** Pearson's correlation of pairs whose means are 0; 0 where one of the two does not vary. */
export function correlation(x: readonly number[], y: readonly number[]): number {
  const product = (a: readonly number[], b: readonly number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  const norm = Math.sqrt(product(x, x)) * Math.sqrt(product(y, y));
  return norm === 0 ? 0 : product(x, y) / norm;
}

/** By how much the least-squares line through equidistant values rises from the first to the last; 0 for a single one. */
export function linearRise(values: readonly number[]): number {
  const last = values.length - 1;
  if (last === 0) return 0;
  const times = values.map((_, t) => t - last / 2);
  return (last * times.reduce((sum, t, i) => sum + t * values[i]!, 0)) / times.reduce((sum, t) => sum + t * t, 0);
}
