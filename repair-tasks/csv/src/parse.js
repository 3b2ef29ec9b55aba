import { convert } from "./convert.js";
import { dialect } from "./dialect.js";
import { CsvError, scan } from "./scan.js";

/**
 * Parses a text. With `header` (the default) each row is an object with the names of the first line, otherwise an array.
 *
 * `types` maps names of columns to "string", "number", "boolean" or "date".
 */
export function parse(text, { types = {}, ...options } = {}) {
  const settings = dialect(options);
  const records = scan(text, settings);
  if (!settings.header) return records.map(({ fields }) => fields);
  if (records.length === 0) return [];
  const [{ fields: names, line }, ...rows] = records;
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  if (repeated !== undefined) throw new CsvError(`column ${repeated} occurs twice`, line);
  return rows.map(({ fields, line }) => {
    if (fields.length !== names.length) throw new CsvError(`expected ${names.length} fields, got ${fields.length}`, line);
    return Object.fromEntries(names.map((name, i) => [name, convert(fields[i], types[name] ?? "string", name, line)]));
  });
}
