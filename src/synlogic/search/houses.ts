// Solves puzzles about houses in a row. Every value of every attribute belongs to exactly one house. A clue fixes the house of a value, or
// the relative position of the houses of two values.

/** A value of an attribute. */
export type Value = string | number;

/**
 * A clue. `is` and `not` say whether a value is in the house with a 0-based index. `same`, `left` and `next` relate two values: both are in
 * the same house, the first is directly left of the second, or their houses are next to each other.
 */
export type HouseClue =
  | readonly [kind: "is" | "not", attribute: string, value: Value, house: number]
  | readonly [kind: "same" | "left" | "next", attribute: string, value: Value, otherAttribute: string, otherValue: Value];

export interface HousePuzzle {
  readonly attributes: readonly string[];
  /** The values of each attribute, one per house, in any order. */
  readonly values: Readonly<Record<string, readonly Value[]>>;
  readonly clues: readonly HouseClue[];
}

/** For each attribute, the value of each house. */
export type Houses = Readonly<Record<string, readonly Value[]>>;

/** Whether the houses fulfil a clue. */
export function holdsClue(clue: HouseClue, houses: Houses): boolean {
  const houseOf = (attribute: string, value: Value) => houses[attribute]!.indexOf(value);
  const [kind, attribute, value] = clue;
  const house = houseOf(attribute, value);
  switch (kind) {
    case "is":
      return house === clue[3];
    case "not":
      return house !== clue[3];
  }
  const other = houseOf(clue[3], clue[4]);
  if (kind === "same") return house === other;
  return kind === "left" ? house + 1 === other : Math.abs(house - other) === 1;
}

/** The possible houses of each value: `places[i]` is a bit mask of the houses that are still possible for value i. */
type Places = number[];

/** A clue whose values are numbers instead of names. */
type Relation = { readonly kind: HouseClue[0]; readonly one: number; readonly other: number };

const isSingle = (set: number) => (set & (set - 1)) === 0;

/** Removes houses that the clues rule out, until nothing changes. Returns false if a value has no house left. */
function narrow(places: Places, relations: readonly Relation[], houseCount: number): boolean {
  const all = (1 << houseCount) - 1;
  const neighbours = (set: number) => ((set << 1) | (set >> 1)) & all;
  let changed = true;
  const keep = (value: number, set: number) => {
    const kept = places[value]! & set;
    if (kept !== places[value]) changed = true;
    places[value] = kept;
  };
  while (changed) {
    changed = false;
    for (const { kind, one, other } of relations) {
      if (kind === "is") keep(one, 1 << other);
      else if (kind === "not") keep(one, ~(1 << other));
      else if (kind === "same") {
        keep(one, places[other]!);
        keep(other, places[one]!);
      } else if (kind === "left") {
        keep(other, places[one]! << 1);
        keep(one, places[other]! >> 1);
      } else {
        keep(other, neighbours(places[one]!));
        keep(one, neighbours(places[other]!));
      }
    }
    // The values of an attribute are in different houses.
    for (let first = 0; first < places.length; first += houseCount) {
      for (let value = first; value < first + houseCount; value++) {
        let others = 0;
        for (let one = first; one < first + houseCount; one++) {
          if (one === value) continue;
          others |= places[one]!;
          if (isSingle(places[value]!)) keep(one, ~places[value]!);
        }
        const only = places[value]! & ~others;
        if (only !== 0) keep(value, only);
        if (places[value] === 0) return false;
      }
    }
  }
  return true;
}

/** Finds the solutions of a puzzle, at most `limit`. */
export function solveHouses({ attributes, values, clues }: HousePuzzle, limit: number): Houses[] {
  const houseCount = values[attributes[0]!]!.length;
  const number = (attribute: string, value: Value) => attributes.indexOf(attribute) * houseCount + values[attribute]!.indexOf(value);
  const relations = clues.map((clue): Relation => {
    const one = number(clue[1], clue[2]);
    return { kind: clue[0], one, other: clue.length === 4 ? clue[3] : number(clue[3], clue[4]) };
  });
  const found: Houses[] = [];
  function search(places: Places): void {
    if (found.length >= limit || !narrow(places, relations, houseCount)) return;
    const size = (set: number) => set.toString(2).replaceAll("0", "").length;
    const open = places.map((set, value) => ({ value, size: size(set) })).filter((one) => one.size > 1);
    if (open.length === 0) {
      const solution = attributes.map((attribute, a) => {
        const row: Value[] = [];
        for (const [i, value] of values[attribute]!.entries()) row[31 - Math.clz32(places[a * houseCount + i]!)] = value;
        return [attribute, row] as const;
      });
      found.push(Object.fromEntries(solution));
      return;
    }
    const { value } = open.reduce((least, one) => (one.size < least.size ? one : least));
    for (let house = 0; house < houseCount; house++) {
      if ((places[value]! >> house) & 1) search(places.map((set, i) => (i === value ? 1 << house : set)));
    }
  }
  search(Array(attributes.length * houseCount).fill((1 << houseCount) - 1));
  return found;
}
