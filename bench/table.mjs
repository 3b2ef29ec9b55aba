// Results as lines for a terminal.

/** One heat, fastest first. */
export function table({ title, units, results }) {
  const lines = Object.entries(units).flatMap(([metric, unit]) => {
    const rows = results.filter(({ rates }) => rates[metric]).sort((a, b) => b.rates[metric].median - a.rates[metric].median);
    return rows.map(({ name, build, rates: { [metric]: rate } }) => {
      const label = `${name} (${build === "native" ? "native" : `${build} engine`})`;
      const range = `${format(rate.minimum)} … ${format(rate.maximum)}`;
      return `  ${metric.padEnd(8)} ${label.padEnd(52)} ${format(rate.median).padStart(9)} ${unit.padEnd(9)} ${range}`;
    });
  });
  return [title, ...lines].join("\n");
}

export function format(rate) {
  return rate >= 100 ? rate.toFixed(0) : rate.toPrecision(3);
}
