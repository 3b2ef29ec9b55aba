// Formats results.

/** Formats one heat as lines for a terminal, with the fastest first. */
export function table({ title, units, results }) {
  const lines = Object.entries(units).flatMap(([metric, unit]) => {
    const rows = results.filter(({ rates }) => rates[metric]).sort((a, b) => b.rates[metric].median - a.rates[metric].median);
    return rows.map((result) => {
      const rate = result.rates[metric];
      const range = `${format(rate.minimum)} … ${format(rate.maximum)}`;
      return `  ${metric.padEnd(8)} ${label(result).padEnd(44)} ${format(rate.median).padStart(9)} ${unit.padEnd(9)} ${range}`;
    });
  });
  return [title, ...lines].join("\n");
}

/** Returns the label of a contestant. Builds of the library run in one engine each; peers run in several. */
export function label({ name, build, engine, peer }) {
  if (!peer) return name;
  return `${name} (${build === "native" ? "native" : engine.split(".")[0]})`;
}

export function format(rate) {
  return rate >= 100 ? rate.toFixed(0) : rate.toPrecision(3);
}
