import type { Random } from "../../../src/base/random.js";
import type { Row } from "../../../src/synlogic/index.js";
import type { Oracle } from "../oracle.js";

/** Reads words and layout from the question, with the layout as one string for each row. */
function parse(row: Row) {
  const lines = row.question.split("\n");
  const wordsAfter = (beginning: RegExp) => {
    const list = lines.find((line) => beginning.test(line))!.replace(/^.*?[:：] ?/, "");
    return list === "none" || list === "无" ? [] : list.split(", ");
  };
  const layout = lines.filter((line) => /^[X0](?: [X0])+$/.test(line)).map((line) => line.replaceAll(" ", ""));
  return { across: wordsAfter(/^Across|^横向单词/), down: wordsAfter(/^Down|^纵向单词/), layout };
}

const turned = (grid: readonly string[]) => [...grid[0]!].map((_, j) => grid.map((line) => line[j]!).join(""));

/**
 * All ways to put words into lines without overlap, as sets of covered cells "row,column". `letters` has "." where any letter fits and a
 * blank where none does.
 */
function covers(words: readonly string[], letters: readonly string[]): Map<string, string>[] {
  if (words.length === 0) return [new Map()];
  const [word, ...rest] = words;
  return covers(rest, letters).flatMap((cover) =>
    letters.flatMap((line, i) =>
      [...line].flatMap((_, j) => {
        const cells = [...word!].map((letter, k) => [`${i},${j + k}`, letter] as const);
        const fits = cells.every(([key, letter], k) => !cover.has(key) && (line[j + k] === "." || line[j + k] === letter));
        return fits ? [new Map([...cover, ...cells])] : [];
      }),
    ),
  );
}

/** All grids that the words make of given letters, as strings with blanks. */
function grids(row: Row, letters: readonly string[]): Set<string> {
  const { across, down, layout } = parse(row);
  const found = new Set<string>();
  const downCovers = covers(down, turned(letters)).map((cover) => {
    return new Map([...cover].map(([key, letter]) => [key.split(",").reverse().join(","), letter]));
  });
  for (const one of covers(across, letters)) {
    for (const other of downCovers) {
      if ([...one].some(([key, letter]) => (other.get(key) ?? letter) !== letter)) continue;
      const grid = layout.map((line, i) => [...line].map((_, j) => one.get(`${i},${j}`) ?? other.get(`${i},${j}`) ?? " ").join(""));
      if (grid.every((line, i) => [...line].every((letter, j) => (letter === " ") === (layout[i]![j] === "0")))) found.add(grid.join("\n"));
    }
  }
  return found;
}

const blank = (layout: readonly string[]) => layout.map((line) => line.replaceAll("X", ".").replaceAll("0", " "));

export const oracle: Oracle = {
  unique: true,
  candidate(row, random: Random) {
    const { layout, across, down } = parse(row);
    const solution = row.answer as readonly (readonly string[])[];
    const grid = solution.map((line) => [...line]);
    const at = () => Math.floor(random.next() * layout.length);
    const change = random.next();
    const [i, j, k, l] = [at(), at(), at(), at()];
    if (change < 0.2) grid[i]![j] = [...[...across, ...down].join("")][at()]!;
    else if (change < 0.4) [grid[i]![j], grid[k]![l]] = [grid[k]![l]!, grid[i]![j]!];
    else if (change < 0.5) [grid[i], grid[k]] = [grid[k]!, grid[i]!];
    else if (change < 0.55) grid[i]![j] = " ";
    const lines = grid.map((line) => line.join(""));
    return { text: JSON.stringify(grid), right: grids(row, lines).has(lines.join("\n")) };
  },
  solutions: (row) => grids(row, blank(parse(row).layout)).size,
};
