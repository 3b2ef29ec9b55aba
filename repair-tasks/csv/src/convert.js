import { CsvError } from "./scan.js";

/** Converts the text of a field. An empty field is null, except in a column of strings. */
export function convert(text, type, column, line) {
  if (type === "string") return text;
  if (text === "") return null;
  const converter = CONVERTERS[type];
  if (!converter) throw new TypeError(`unknown type ${type} of column ${column}`);
  const value = converter(text.trim());
  if (value === undefined) throw new CsvError(`column ${column}: ${JSON.stringify(text)} is not a ${type}`, line);
  return value;
}

const CONVERTERS = {
  number(text) {
    return text !== "" && Number.isFinite(Number(text)) ? Number(text) : undefined;
  },
  boolean(text) {
    if (/^(true|yes|1)$/i.test(text)) return true;
    if (/^(false|no|0)$/i.test(text)) return false;
    return undefined;
  },
  date(text) {
    const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
    if (!parts) return undefined;
    const [year, month, day] = parts.slice(1).map(Number);
    const date = new Date(Date.UTC(year, month - 1, day));
    return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? date : undefined;
  },
};
