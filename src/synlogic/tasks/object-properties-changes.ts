import { InputError } from "../../base/errors.js";
import type { Json } from "../row.js";

/** The five attributes, under their published names. */
export const ATTRIBUTES = ["sizes", "colors", "countries", "materials", "smells"] as const;
export type Attribute = (typeof ATTRIBUTES)[number];

/** Values of some attributes. */
export type Values = Partial<Readonly<Record<Attribute, string>>>;
export type Item = Readonly<Record<Attribute, string>>;

/** Maximum number of items that a trade may have led to, over all values that can matter. */
const MAX_COMPLETIONS = 1_000_000;

export const CHANGE_KINDS = ["set", "split", "add", "lose", "trade", "compare"] as const;

/**
 * A change of a collection. It applies to the items that have one value of one attribute (`where`):
 *
 * - `set`: the items get the values `set`
 * - `split`: each item is replaced by two copies, one with the values `set` and one with the values `other`
 * - `add`: for each item, a copy with the values `set` is added
 * - `lose`: the items are removed
 * - `trade`: each item is replaced by a new one with the values `set`; the other values of the new item are unknown
 * - `compare`: a copy is added for each item of the whole collection whose pair of smell and color does not occur in the initial collection
 */
export interface Change {
  readonly kind: (typeof CHANGE_KINDS)[number];
  readonly where: Values;
  readonly set: Values;
  readonly other: Values;
}

export const matches = (item: Item, values: Values) =>
  Object.entries(values).every(([attribute, value]) => item[attribute as Attribute] === value);

const pairOf = ({ smells, colors }: Item) => `${smells}|${colors}`;

/** Applies a change to an item whose attributes are all known. @param traded completes an item of which only some values are known */
export function applyChange(item: Item, change: Change, first: readonly Item[], traded: (known: Values) => Item): Item[] {
  const { kind, where, set, other } = change;
  if (kind === "compare") return first.some((one) => pairOf(one) === pairOf(item)) ? [item] : [item, item];
  if (!matches(item, where)) return [item];
  switch (kind) {
    case "set":
      return [{ ...item, ...set }];
    case "split":
      return [
        { ...item, ...set },
        { ...item, ...other },
      ];
    case "add":
      return [item, { ...item, ...set }];
    case "lose":
      return [];
    case "trade":
      return [traded(set)];
  }
}

/** A collection, its changes, and the values to count: an item is counted if it has at least one of them. */
export interface Problem {
  readonly first: readonly Item[];
  readonly changes: readonly Change[];
  readonly asked: Values;
}

/** Stands for all values that no sentence mentions. */
const UNMENTIONED = "";

/**
 * Returns all counts that the story allows. There are several if the count depends on unknown values of traded items.
 *
 * Tries every combination of unknown values that can change the count. Different items are independent of each other.
 */
export function possibleCounts({ first, changes, asked }: Problem): ReadonlySet<number> {
  const compares = changes.some(({ kind }) => kind === "compare");
  const domain = (attribute: Attribute) => {
    const mentioned = [...changes.map(({ where }) => where), asked, ...(compares ? first : [])].map((values) => values[attribute]);
    return [...new Set([UNMENTIONED, ...mentioned.filter((value) => value !== undefined)])];
  };
  const domains = ATTRIBUTES.map(domain);
  const known = new Map<string, ReadonlySet<number>>();

  /** Returns the possible counts among the descendants of an item, from change `i` on. */
  function counts(item: Item, i: number): ReadonlySet<number> {
    const change = changes[i];
    if (!change) return new Set([Object.entries(asked).some(([attribute, value]) => item[attribute as Attribute] === value) ? 1 : 0]);
    const traded = change.kind === "trade" && matches(item, change.where);
    // All items of one trade are replaced by equal items.
    const key = traded ? `${i}` : `${i}|${ATTRIBUTES.map((attribute) => item[attribute]).join("|")}`;
    const before = known.get(key);
    if (before) return before;
    const result = traded
      ? new Set(completions(change.set, domains).flatMap((one) => [...counts(one, i + 1)]))
      : sums(applyChange(item, change, first, () => item).map((one) => counts(one, i + 1)));
    known.set(key, result);
    return result;
  }
  return sums(first.map((item) => counts(item, 0)));
}

/** Returns all items that have the given values. */
function completions(values: Values, domains: readonly (readonly string[])[]): Item[] {
  const count = ATTRIBUTES.reduce((product, attribute, i) => product * (values[attribute] === undefined ? domains[i]!.length : 1), 1);
  if (count > MAX_COMPLETIONS) throw new InputError("object_properties: row: expected fewer changes with different values, got too many");
  let items: Partial<Record<Attribute, string>>[] = [{}];
  for (const [i, attribute] of ATTRIBUTES.entries()) {
    const value = values[attribute];
    items = items.flatMap((item) => (value === undefined ? domains[i]! : [value]).map((one) => ({ ...item, [attribute]: one })));
  }
  return items as Item[];
}

/** Returns all sums of one number from each set. */
function sums(sets: readonly ReadonlySet<number>[]): ReadonlySet<number> {
  let totals = [0];
  for (const set of sets) {
    if (set.size === 1) totals = totals.map((total) => total + [...set][0]!);
    else totals = [...new Set(totals.flatMap((total) => [...set].map((one) => total + one)))];
  }
  return new Set(totals);
}

const isText = (value: Json | undefined): value is string => typeof value === "string";

/** Reads an item of the metadata. Returns undefined if the item does not have the published form. */
export function itemOf(value: Json): Item | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const values = value as { readonly [key: string]: Json };
  const texts = ATTRIBUTES.map((attribute) => values[attribute]);
  return texts.every(isText) ? (Object.fromEntries(ATTRIBUTES.map((attribute, i) => [attribute, texts[i]])) as Item) : undefined;
}
