// Metrics as CSV (RFC 4180), one row per line of metrics.

/** Maps the name of each column to its value in a line of metrics. Missing values and non-finite numbers become empty fields. */
export type Columns = Readonly<Record<string, (line: Readonly<Record<string, unknown>>) => unknown>>;

export function csvHeader(columns: Columns): string {
  return row(Object.keys(columns));
}

export function csvRow(columns: Columns, line: object): string {
  return row(Object.values(columns).map((value) => value(line as Readonly<Record<string, unknown>>)));
}

function row(values: readonly unknown[]): string {
  return `${values.map(field).join(",")}\n`;
}

function field(value: unknown): string {
  if (value === undefined || value === null || (typeof value === "number" && !Number.isFinite(value))) return "";
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
