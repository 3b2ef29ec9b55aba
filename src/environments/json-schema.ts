import { printedJson } from "../base/printed.js";

type Schema = Readonly<Record<string, unknown>>;

const TYPES: Readonly<Record<string, (value: unknown) => boolean>> = {
  object: (x) => typeof x === "object" && x !== null && !Array.isArray(x),
  array: Array.isArray,
  string: (x) => typeof x === "string",
  number: (x) => typeof x === "number",
  integer: Number.isInteger,
  boolean: (x) => typeof x === "boolean",
  null: (x) => x === null,
};

/**
 * Checks a value against the part of JSON Schema that descriptions of tools use: `type`, `enum`, `const`, `properties`, `required`,
 * `additionalProperties`, `items`, `anyOf`, `minimum`, `maximum`. Other keywords are not checked.
 *
 * @returns what is wrong, as "place: expected …, got …"; undefined if the value fits
 */
export function schemaViolation(schema: Schema, value: unknown, place = "arguments"): string | undefined {
  const fail = (expected: string) => `${place}: expected ${expected}, got ${printedJson(value).slice(0, 80)}`;
  const { type, enum: values, const: constant, anyOf, minimum, maximum } = schema;
  const types = type === undefined ? [] : [type].flat();
  if (types.length > 0 && !types.some((name) => TYPES[name as string]?.(value))) return fail(types.join(" or "));
  if (Array.isArray(values) && !values.some((one) => printedJson(one) === printedJson(value))) return fail(`one of ${printedJson(values)}`);
  if (constant !== undefined && printedJson(constant) !== printedJson(value)) return fail(printedJson(constant));
  if (typeof value === "number") {
    if (typeof minimum === "number" && value < minimum) return fail(`at least ${minimum}`);
    if (typeof maximum === "number" && value > maximum) return fail(`at most ${maximum}`);
  }
  if (Array.isArray(anyOf)) {
    const violations = anyOf.map((one) => schemaViolation(one as Schema, value, place));
    if (violations.every((one) => one !== undefined)) return violations[0];
  }
  if (Array.isArray(value) && schema.items) {
    return value.map((item, i) => schemaViolation(schema.items as Schema, item, `${place}[${i}]`)).find((one) => one !== undefined);
  }
  return TYPES.object!(value) ? objectViolation(schema, value as Record<string, unknown>, place) : undefined;
}

function objectViolation(schema: Schema, value: Readonly<Record<string, unknown>>, place: string): string | undefined {
  const {
    properties = {},
    required = [],
    additionalProperties,
  } = schema as {
    readonly properties?: Readonly<Record<string, Schema>>;
    readonly required?: readonly string[];
    readonly additionalProperties?: unknown;
  };
  const missing = required.find((name) => !Object.hasOwn(value, name));
  if (missing !== undefined) return `${place}: expected ${missing}, got ${printedJson(Object.keys(value))}`;
  for (const [name, item] of Object.entries(value)) {
    const own = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (!own && additionalProperties === false) return `${place}: expected ${Object.keys(properties).join(", ") || "nothing"}, got ${name}`;
    const violation = own && schemaViolation(own, item, `${place}.${name}`);
    if (violation) return violation;
  }
  return undefined;
}
