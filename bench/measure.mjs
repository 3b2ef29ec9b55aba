// Interleaved medians: every contestant runs once per round, so that a machine that slows down slows all of them alike.

/** @param {{ name: string, run: () => void, work: number, unit: string }[]} contestants work per run, in units of `unit` */
export function measure(contestants, { rounds = 9, ms = 60 } = {}) {
  const prepared = contestants.map((contestant) => {
    contestant.run();
    const begin = performance.now();
    contestant.run();
    const once = Math.max(performance.now() - begin, 1e-3);
    return { ...contestant, repeats: Math.max(1, Math.round(ms / once)), rates: [] };
  });
  for (let round = 0; round < rounds; round++) {
    for (const contestant of prepared) {
      const begin = performance.now();
      for (let i = 0; i < contestant.repeats; i++) contestant.run();
      contestant.rates.push((contestant.work * contestant.repeats) / ((performance.now() - begin) / 1000));
    }
  }
  return prepared.map(({ name, unit, rates }) => ({
    name,
    unit,
    median: median(rates),
    minimum: Math.min(...rates),
    maximum: Math.max(...rates),
  }));
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Contestants of one group as lines, each with its ratio to the first. */
export function table(title, results) {
  const lines = results.map(({ name, unit, median: rate, minimum, maximum }) => {
    const ratio = (rate / results[0].median).toFixed(2);
    const range = `${format(minimum)} … ${format(maximum)}`;
    return `  ${name.padEnd(28)} ${format(rate).padStart(10)} ${unit.padEnd(10)} ${`×${ratio}`.padStart(8)}   ${range}`;
  });
  return [title, ...lines].join("\n");
}

function format(rate) {
  return rate >= 100 ? rate.toFixed(0) : rate.toPrecision(3);
}
