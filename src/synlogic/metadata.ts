// Reads and checks the metadata of a row.

import { InputError } from "../base/errors.js";
import { isObject } from "../base/json.js";
import { printedJson } from "../base/printed.js";
import type { Json, Row } from "./row.js";

/** Creates the error for metadata that does not have the published form. */
export function metadataError(row: Row, key: string, expected: string): InputError {
  const value = printedJson(row.metadata?.[key]);
  const got = value.length > 60 ? `${value.slice(0, 60)}…` : value;
  return new InputError(`${row.task}: row: metadata.${key}: expected ${expected}, got ${got}`);
}

/** Returns a value of the metadata. @param expected the condition `fits` in words, for messages */
export function metadataValue<Value extends Json>(row: Row, key: string, expected: string, fits: (value: Json) => value is Value): Value {
  const value = row.metadata?.[key];
  if (value === undefined || !fits(value)) throw metadataError(row, key, expected);
  return value;
}

export function metadataInteger(row: Row, key: string): number {
  return metadataValue(row, key, "an integer", (x): x is number => Number.isSafeInteger(x));
}

export function metadataString(row: Row, key: string): string {
  return metadataValue(row, key, "a string", (x): x is string => typeof x === "string");
}

const isInteger = (x: Json): x is number => Number.isSafeInteger(x);
const isString = (x: Json): x is string => typeof x === "string";

export function metadataIntegers(row: Row, key: string): readonly number[] {
  return metadataValue(row, key, "a list of integers", (x): x is readonly number[] => Array.isArray(x) && x.every(isInteger));
}

export function metadataStrings(row: Row, key: string): readonly string[] {
  return metadataValue(row, key, "a list of strings", (x): x is readonly string[] => Array.isArray(x) && x.every(isString));
}

/** Returns a rectangular, non-empty grid. @param cell the condition on each cell; `expected` states it in words */
export function metadataGrid<Cell extends Json>(
  row: Row,
  key: string,
  expected: string,
  cell: (value: Json) => value is Cell,
): readonly (readonly Cell[])[] {
  return metadataValue(row, key, `a grid of ${expected}`, (x): x is readonly (readonly Cell[])[] => {
    if (!Array.isArray(x) || x.length === 0) return false;
    const width = Array.isArray(x[0]) ? x[0].length : 0;
    return width > 0 && x.every((cells) => Array.isArray(cells) && cells.length === width && cells.every(cell));
  });
}

/** Returns an object. */
export function metadataObject(row: Row, key: string): { readonly [key: string]: Json } {
  return metadataValue(row, key, "an object", (x): x is { readonly [key: string]: Json } => isObject(x));
}
