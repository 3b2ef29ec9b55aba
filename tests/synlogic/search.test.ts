// The searches behind the solvers and generators, against known counts and brute force on small cases.

import { describe, expect, test } from "vitest";
import { Random } from "../../src/base/random.js";
import { randomBoolean, randomInteger } from "../../src/base/random-draws.js";
import { fillCells } from "../../src/synlogic/search/all-different.js";
import { closerOf, drawBrackets, isBalanced, isOpener, scanBrackets } from "../../src/synlogic/search/brackets.js";
import { connectedGroups } from "../../src/synlogic/search/cells.js";
import { type HouseClue, solveHouses } from "../../src/synlogic/search/houses.js";
import { rowsAndColumns } from "../../src/synlogic/search/latin-square.js";
import { arrangement, minesThatMustBe } from "../../src/synlogic/search/mines.js";
import { completePath, drawPath } from "../../src/synlogic/search/number-path.js";
import { findStarSets } from "../../src/synlogic/search/star-sets.js";
import { placeWords } from "../../src/synlogic/search/word-grid.js";

/** All rows of `length` numbers below `base`. */
function tuples(base: number, length: number): number[][] {
  return Array.from({ length: base ** length }, (_, n) => Array.from({ length }, (_, i) => Math.floor(n / base ** i) % base));
}

describe("cells with different numbers", () => {
  // OEIS A002860.
  test.each([
    [1, 1],
    [2, 2],
    [3, 12],
    [4, 576],
  ])("there are Latin squares of size %i: %i", (size, count) => {
    const { found, complete } = fillCells({ size, groups: rowsAndColumns(size) }, 10_000);
    expect([new Set(found.map(String)).size, complete]).toEqual([count, true]);
  });

  test("288 sudokus of size 4, and 1344 Latin squares of size 5 with a given first row", () => {
    const boxes = [0, 2, 8, 10].map((corner) => ({ cells: [0, 1, 4, 5].map((step) => corner + step) }));
    expect(fillCells({ size: 4, groups: [...rowsAndColumns(4), ...boxes] }, 10_000).found).toHaveLength(288);
    const given = Array.from({ length: 25 }, (_, cell) => (cell < 5 ? cell + 1 : 0));
    expect(fillCells({ size: 5, groups: rowsAndColumns(5), given }, 10_000).found).toHaveLength(1344);
  });

  test("a search that stops early is not complete", () => {
    expect(fillCells({ size: 3, groups: rowsAndColumns(3) }, 2)).toMatchObject({ found: { length: 2 }, complete: false });
    expect(fillCells({ size: 5, groups: rowsAndColumns(5) }, 10_000, undefined, 50).complete).toBe(false);
  });

  test("an additional rule of a group", () => {
    // The first cell of each column is larger than the second one.
    const groups = [{ cells: [0, 1] }, { cells: [2, 3] }, ...[0, 1].map((j) => ({ cells: [j, j + 2], allowed: larger }))];
    function larger([a, b]: readonly number[]): number {
      if (a && b) return a > b ? 14 : 0;
      return 14;
    }
    const expected = tuples(3, 4).filter(([a, b, c, d]) => a !== b && c !== d && a! > c! && b! > d!).length;
    expect(fillCells({ size: 3, groups }, 100).found).toHaveLength(expected);
  });
});

describe("brackets", () => {
  /** Removes pairs until none is left. */
  const remainder = (text: string): string => {
    const shorter = text.replace(/\(\)|\[\]/, "");
    return shorter === text ? text : remainder(shorter);
  };

  test("scans all sequences of two types up to length 5", () => {
    for (let length = 0; length <= 5; length++) {
      for (const tuple of tuples(4, length)) {
        const text = tuple.map((n) => "()[]"[n]).join("");
        const prefixes = Array.from({ length: length + 1 }, (_, n) => remainder(text.slice(0, n)));
        // The first prefix that keeps a closer ends in the first error.
        const wrong = prefixes.findIndex((rest) => [...rest].some((bracket) => !isOpener(bracket)));
        const { open, error } = scanBrackets(text);
        expect([open.join(""), error], text).toEqual(wrong < 0 ? [prefixes.at(-1), undefined] : [prefixes[wrong - 1], wrong - 1]);
        expect(isBalanced(text)).toBe(prefixes.at(-1) === "");
        if (error === undefined) expect(isBalanced(text + [...open].reverse().map(closerOf).join(""))).toBe(true);
      }
    }
  });

  // Numbers of Catalan's triangle, and of paths that reach a height.
  test.each([
    [6, 0, 0, 5],
    [6, 0, 2, 4],
    [6, 0, 3, 1],
    [4, 2, 0, 3],
    [5, 3, 4, 1],
    [6, 0, 4, 0],
    [8, 0, 0, 14],
  ])("length %i, %i open, depth %i: all %i shapes are drawn equally often", (length, open, depth, shapes) => {
    const random = Random.seeded(1);
    const counts = new Map<string | undefined, number>();
    const draws = 200 * Math.max(shapes, 1);
    for (let i = 0; i < draws; i++) {
      const text = drawBrackets(random, ["()"], length, open, depth);
      counts.set(text, (counts.get(text) ?? 0) + 1);
    }
    if (shapes === 0) return expect([...counts.keys()]).toEqual([undefined]);
    expect(counts.size).toBe(shapes);
    // Five standard deviations.
    for (const count of counts.values()) expect(Math.abs(count - 200)).toBeLessThan(5 * Math.sqrt(200));
  });
});

test("connected groups of random grids", () => {
  const random = Random.seeded(2);
  for (let i = 0; i < 50; i++) {
    const grid = Array.from({ length: 5 }, () => Array.from({ length: 6 }, () => randomBoolean(random, 0.6)));
    // Spreads the largest label until nothing changes.
    const labels = grid.map((row, r) => row.map((fits, c) => (fits ? r * 6 + c + 1 : 0)));
    for (let round = 0; round < 30; round++) {
      for (const [r, row] of labels.entries()) {
        for (const [c, label] of row.entries()) {
          if (label > 0) row[c] = Math.max(label, row[c - 1] ?? 0, row[c + 1] ?? 0, labels[r - 1]?.[c] ?? 0, labels[r + 1]?.[c] ?? 0);
        }
      }
    }
    const groups = connectedGroups(grid, Boolean);
    expect(new Set(groups.map((cells) => new Set(cells.map(([r, c]) => labels[r]![c])).size))).toEqual(
      new Set(groups.length > 0 ? [1] : []),
    );
    expect(groups).toHaveLength(new Set(labels.flat().filter(Boolean)).size);
    expect(groups.flat()).toHaveLength(grid.flat().filter(Boolean).length);
  }
});

test("houses: as many solutions as permutations that fulfil the clues", () => {
  const permutations = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ];
  const attributes = ["pet", "drink"];
  const values = { pet: ["cat", "dog", "emu"], drink: ["tea", "milk", "juice"] };
  const random = Random.seeded(3);
  const sizes = new Set<number>();
  for (let i = 0; i < 150; i++) {
    const draw = () => {
      const attribute = randomInteger(random, 0, 1);
      return { attribute, value: randomInteger(random, 0, 2) };
    };
    const drawn = Array.from({ length: randomInteger(random, 0, 3) }, () => ({
      kind: (["is", "not", "same", "left", "next"] as const)[randomInteger(random, 0, 4)]!,
      one: draw(),
      other: draw(),
    }));
    const name = ({ attribute, value }: ReturnType<typeof draw>) =>
      [attributes[attribute]!, values[attributes[attribute] as "pet"][value]!] as const;
    const clues = drawn.map(
      ({ kind, one, other }): HouseClue =>
        kind === "is" || kind === "not" ? [kind, ...name(one), other.value] : [kind, ...name(one), ...name(other)],
    );
    // places[attribute][value] is the house of a value.
    const expected = permutations.flatMap((a) =>
      permutations.filter((b) =>
        drawn.every(({ kind, one, other }) => {
          const houseOf = (which: ReturnType<typeof draw>) => [a, b][which.attribute]![which.value]!;
          const [x, y] = [houseOf(one), houseOf(other)];
          const rules = {
            is: x === other.value,
            not: x !== other.value,
            same: x === y,
            left: x + 1 === y,
            next: x - y === 1 || y - x === 1,
          };
          return rules[kind];
        }),
      ),
    ).length;
    const found = solveHouses({ attributes, values, clues }, 100);
    expect(new Set(found.map((one) => JSON.stringify(one))).size, JSON.stringify(clues)).toBe(expected);
    sizes.add(expected);
  }
  expect(sizes.size).toBeGreaterThan(5);
});

test("mines: arrangements, and the cells that are mines in all of them", () => {
  const random = Random.seeded(4);
  let [none, forced] = [0, 0];
  for (let i = 0; i < 100; i++) {
    const hidden = Array.from({ length: 8 }, () => randomBoolean(random, 0.4));
    const counts = Array.from({ length: 4 }, () => {
      const cells = [...hidden.keys()].filter(() => randomBoolean(random, 0.4));
      const mines = cells.filter((cell) => hidden[cell]).length;
      return { cells, mines: i % 4 === 0 ? randomInteger(random, 0, cells.length) : mines };
    });
    const fits = (mines: readonly boolean[]) => counts.every(({ cells, mines: sum }) => cells.filter((cell) => mines[cell]).length === sum);
    const all = tuples(2, 8)
      .map((bits) => bits.map(Boolean))
      .filter(fits);
    const found = arrangement(
      counts,
      8,
      hidden.map((mine) => mine !== randomBoolean(random, 0.3)),
    );
    expect(found !== undefined).toBe(all.length > 0);
    if (!found) none++;
    else {
      expect(fits(found)).toBe(true);
      const certain = [...hidden.keys()].filter((cell) => all.every((mines) => mines[cell]));
      expect(minesThatMustBe(counts, found)).toEqual(certain);
      if (certain.length > 0) forced++;
    }
  }
  expect(Math.min(none, forced)).toBeGreaterThan(5);
});

describe("paths through all cells", () => {
  // From corner to opposite corner, OEIS A001184.
  test.each([
    [2, 0],
    [3, 2],
    [4, 0],
    [5, 104],
  ])("size %i: %i", (n, count) => {
    const known = Array.from({ length: n }, (_, i) =>
      Array.from({ length: n }, (_, j) => (i + j === 0 ? 1 : i + j === 2 * n - 2 ? n * n : 0)),
    );
    const found = new Set<string>();
    completePath(known, (grid) => {
      found.add(String(grid));
      return false;
    });
    expect(found.size).toBe(count);
  });

  test("a drawn path takes each cell once and only steps to neighbours", () => {
    const random = Random.seeded(5);
    for (const n of [2, 3, 6]) {
      const numbers = drawPath(random, n).flat();
      expect([...numbers].sort((a, b) => a - b)).toEqual(Array.from({ length: n * n }, (_, i) => i + 1));
      for (let k = 1; k < n * n; k++) {
        const [a, b] = [numbers.indexOf(k), numbers.indexOf(k + 1)];
        expect(Math.abs(Math.floor(a / n) - Math.floor(b / n)) + Math.abs((a % n) - (b % n))).toBe(1);
      }
    }
  });
});

// One star in each row and column, no two in neighbouring columns of neighbouring rows: OEIS A002464.
test.each([
  [3, 0],
  [4, 2],
  [5, 14],
  [6, 90],
  [7, 646],
])("sets of stars of size %i: %i", (size, count) => {
  const { found, complete } = findStarSets(size, 1, 1000);
  expect([new Set(found.map(String)).size, complete]).toEqual([count, true]);
});

test("words in a layout", () => {
  const words = (across: string[], down: string[]) => [
    ...across.map((word) => ({ word, direction: "across" as const })),
    ...down.map((word) => ({ word, direction: "down" as const })),
  ];
  const square = [
    ["X", "X"],
    ["X", "X"],
  ];
  expect(placeWords(square, words(["ab", "cd"], ["ac", "bd"]), 10)).toEqual({ found: [["a", "b", "c", "d"]], complete: true });
  expect(placeWords(square, words(["ab", "cd"], ["ab", "bd"]), 10).found).toEqual([]);
  // Two words in two rows, in both orders.
  expect(
    placeWords(square, words(["ab", "cd"], []), 10)
      .found.map((cells) => cells.join(""))
      .sort(),
  ).toEqual(["abcd", "cdab"]);
  const gap = [["X", "X", "0", "X", "X"]];
  expect(placeWords(gap, words(["ab", "cd"], []), 10).found).toHaveLength(2);
  expect(placeWords(gap, words(["ab"], []), 10).found).toEqual([]);
  expect(placeWords(gap, words(["ab", "cd"], []), 1)).toMatchObject({ found: { length: 1 }, complete: false });
});
