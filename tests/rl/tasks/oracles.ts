/**
 * Decides what is right from the text of the question alone, by other means than the tasks: brute force, and JavaScript's own arithmetic on
 * questions and answers that were checked to consist of the allowed symbols.
 */

const evaluate = (code: string): unknown => new Function(`return ${code}`)();

export const compute = (expression: string) => Number(evaluate(expression));

export const truth = (expression: string) =>
  evaluate(
    expression.replace(/T|F|and|or|not/g, (symbol) => ({ T: "true", F: "false", and: "&&", or: "||", not: "!" })[symbol]!),
  ) as boolean;

/** Brackets without their matching pairs. */
function withoutPairs(brackets: string): string {
  const less = brackets.replace(/\(\)|\[\]|\{\}/g, "");
  return less === brackets ? brackets : withoutPairs(less);
}

const sortedText = (items: readonly string[]) => [...items].sort().join(" ");

const after = (question: string, phrase: string) => {
  if (!question.startsWith(phrase)) throw new Error(`expected "${phrase}", got "${question}"`);
  return question.slice(phrase.length);
};

/** Cuts the words of an answer into rows, whatever the white space between them. */
function wordRows(text: string, width: number): string[][] {
  const words = text.split(/\s+/);
  return Array.from({ length: Math.ceil(words.length / width) }, (_, row) => words.slice(row * width, (row + 1) * width));
}

const sameShape = (grid: readonly (readonly string[])[], other: readonly (readonly string[])[]) =>
  grid.map((row) => row.length).join() === other.map((row) => row.length).join();

/** Whether each row and each column has the numbers 1 to n. */
const isLatin = (grid: readonly (readonly string[])[]) => {
  const all = grid.map((_, index) => index + 1).join(" ");
  return grid.every((row, i) => sortedText(row) === all && sortedText(grid.map((line) => line[i]!)) === all);
};

/** A question's first line after a phrase, the rows of its grid, and the line below the grid. */
function picture(question: string, phrase: string) {
  const [first, ...lines] = question.split("\n") as [string, ...string[]];
  const rows = lines.map((line) => line.split(" "));
  return { phrase: after(first, phrase), rows: rows.slice(0, -1), below: rows.at(-1)! };
}

type Oracle = (question: string, answer: string) => boolean;

const byTask: Record<string, Oracle> = {
  "dyck-completion"(question, answer) {
    const given = after(question, "Close the open brackets : ").replaceAll(" ", "");
    const added = answer.replace(/\s/g, "");
    return withoutPairs(given + added) === "" && added.length === withoutPairs(given).length;
  },

  "bracket-error"(question, answer) {
    const given = after(question, "Find the first bracket error , its position or end or none : ").replaceAll(" ", "");
    const lengths = Array.from(given, (_, index) => index + 1);
    const wrong = lengths.find((length) => /[)\]}]/.test(withoutPairs(given.slice(0, length))));
    return answer === String(wrong ?? (withoutPairs(given) === "" ? "none" : "end"));
  },

  "boolean-expression"(question, answer) {
    const options = after(question, "Which are true ? ").split(" ; ");
    const right = options.filter((option) => truth(option.slice(4))).map((option) => option[0]!);
    return sortedText(answer.split(" ")) === sortedText(right);
  },

  "arithmetic-chain": (question, answer) => answer === String(compute(after(question, "Compute "))),

  "number-target"(question, answer) {
    const [target, ...numbers] = question.match(/\d+/g)!;
    if (!/^[\d+\-*/() ]+$/.test(answer) || /\d \d|[)\d] \(|\) \d|\*\*|\/\/|[-+] *[-+]/.test(answer)) return false;
    if (sortedText(answer.match(/\d+/g) ?? []) !== sortedText(numbers)) return false;
    try {
      return Math.abs(compute(answer) - Number(target)) < 1e-9 && !/^ *[-+]|[(*/] *[-+]/.test(answer);
    } catch {
      return false;
    }
  },

  "word-sorting"(question, answer) {
    const [words, alphabet] = after(question, "Sort ").split(" by the alphabet ") as [string, string];
    const rank = (word: string) => Array.from(word, (letter) => alphabet.split(" ").indexOf(letter)).join("");
    const right = words.split(" ").sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
    return answer === right.join(" ");
  },

  "web-of-lies"(question, answer) {
    const sentences = after(question, "Is each honest , T or F ? ").slice(0, -2).split(" . ");
    const people = [...new Set(question.match(/\b[A-Z]\b(?= (lies|is|says))/g))];
    const worlds = Array.from(
      { length: 2 ** people.length },
      (_, world) => new Map(people.map((person, bit) => [person, Boolean(world & (1 << bit))])),
    );
    const holds = (world: Map<string, boolean>, claim: string) => world.get(claim[0]!) === claim.endsWith("is honest");
    const possible = worlds.filter((world) =>
      sentences.every((sentence) => {
        const [speaker, claim] = sentence.split(" says ") as [string, string | undefined];
        return claim ? world.get(speaker) === holds(world, claim) : holds(world, sentence);
      }),
    );
    if (possible.length !== 1) throw new Error(`${possible.length} worlds: ${question}`);
    const pairs = answer.match(/\S+( \S+)?/g) ?? [];
    return sortedText(pairs) === sortedText([...possible[0]!].map(([person, honest]) => `${person} ${honest ? "T" : "F"}`));
  },

  sudoku(question, answer) {
    const clues = after(question, "Fill the sudoku with 1 2 3 4 :\n").split(/\s/);
    const cells = answer.split(/\s/);
    const line = [0, 1, 2, 3];
    const units = line.flatMap((unit) => [
      line.map((index) => 4 * unit + index),
      line.map((index) => 4 * index + unit),
      line.map((index) => 4 * (2 * (unit >> 1) + (index >> 1)) + 2 * (unit & 1) + (index & 1)),
    ]);
    return (
      cells.length === 16 &&
      clues.every((clue, cell) => clue === "_" || clue === cells[cell]) &&
      units.every((unit) => sortedText(unit.map((cell) => cells[cell]!)) === "1 2 3 4")
    );
  },

  kukurasu(question, answer) {
    const { rows, below } = picture(question, "Fill the kukurasu with X and . :");
    const grid = wordRows(answer, below.length);
    const sum = (line: readonly string[]) => String(line.reduce((total, symbol, place) => total + (symbol === "X" ? place + 1 : 0), 0));
    const fits = (shown: string, value: string) => shown === "_" || shown === value;
    return (
      sameShape(
        grid,
        rows.map((row) => row.slice(0, -1)),
      ) &&
      grid.flat().every((symbol) => /^[X.]$/.test(symbol)) &&
      grid.every((line, i) => fits(rows[i]!.at(-1)!, sum(line)) && line.every((symbol, j) => fits(rows[i]![j]!, symbol))) &&
      below.every((shown, j) => fits(shown, sum(grid.map((line) => line[j]!))))
    );
  },

  survo(question, answer) {
    const { phrase, rows, below } = picture(question, "Fill the survo with ");
    const grid = wordRows(answer, below.length);
    const cells = rows.map((row) => row.slice(0, -1));
    if (!sameShape(grid, cells) || !grid.flat().every((word) => /^[1-9]$/.test(word))) return false;
    const placed = grid.flat().filter((_, cell) => cells.flat()[cell] === "_");
    const total = (line: readonly string[]) => String(compute(line.join("+")));
    return (
      sortedText(placed) === sortedText(phrase.slice(0, -2).split(" ")) &&
      cells.flat().every((shown, cell) => shown === "_" || shown === grid.flat()[cell]) &&
      grid.every((line, i) => total(line) === rows[i]!.at(-1)) &&
      below.every((shown, j) => total(grid.map((line) => line[j]!)) === shown)
    );
  },

  "math-path"(question, answer) {
    const [shown, value] = after(question, "Fill the blanks with 1 to 9 : ").split(" = ") as [string, string];
    const [left, right, ...more] = answer.split(" = ") as [string, string | undefined];
    if (!/^[1-9]( [-+*] [1-9])*$/.test(left) || right !== value || more.length > 0) return false;
    const kept = shown.split(" ").every((symbol, index) => symbol === "_" || symbol === left.split(" ")[index]);
    return kept && left.length === shown.length && compute(left) === Number(value);
  },

  futoshiki(question, answer) {
    const [phrase, ...drawn] = question.split("\n") as [string, ...string[]];
    const signs = after(phrase, "Fill the futoshiki with 1 2 3 4 , ").slice(0, -2).split(" , ");
    const cells = drawn.map((row) => row.split(" "));
    const grid = wordRows(answer, cells.length);
    if (!sameShape(grid, cells) || !isLatin(grid)) return false;
    const value = (symbol: string) => (/\d/.test(symbol) ? symbol : grid.flat()[cells.flat().indexOf(symbol)]!);
    return (
      cells.flat().every((symbol, cell) => value(symbol) === grid.flat()[cell]) &&
      signs.every((sign) => {
        const [left, , right] = sign.split(" ") as [string, string, string];
        return Number(value(left)) < Number(value(right));
      })
    );
  },

  skyscraper(question, answer) {
    const [, top, ...rest] = question.split("\n").map((line) => line.split(" ")) as [string[], string[], ...string[][]];
    const [rows, bottom] = [rest.slice(0, -1), rest.at(-1)!];
    const grid = wordRows(answer, top.length);
    const cells = rows.map((row) => row.slice(1, -1));
    if (!sameShape(grid, cells) || !isLatin(grid)) return false;
    const seen = (line: readonly string[]) => {
      let [highest, count] = [0, 0];
      for (const height of line.map(Number)) if (height > highest) [highest, count] = [height, count + 1];
      return String(count);
    };
    const fits = (shown: string, value: string) => shown === "_" || shown === value;
    const both = (first: string, last: string, line: readonly string[]) => fits(first, seen(line)) && fits(last, seen([...line].reverse()));
    const column = (j: number) => grid.map((line) => line[j]!);
    return (
      cells.flat().every((shown, cell) => fits(shown, grid.flat()[cell]!)) &&
      grid.every((line, i) => both(rows[i]![0]!, rows[i]!.at(-1)!, line)) &&
      top.every((shown, j) => both(shown, bottom[j]!, column(j)))
    );
  },

  calcudoko(question, answer) {
    const [phrase, ...drawn] = question.split("\n") as [string, ...string[]];
    const cages = after(phrase, "Fill the calcudoko with 1 2 3 4 , ").slice(0, -2).split(" , ");
    const cells = drawn.map((row) => row.split(" "));
    const grid = wordRows(answer, cells.length);
    if (!sameShape(grid, cells) || !isLatin(grid)) return false;
    return (
      cells.flat().every((symbol, cell) => /[A-Z]/.test(symbol) || symbol === grid.flat()[cell]) &&
      cages.every((cage) => {
        const [letter, target, operator] = cage.split(" ") as [string, string, string];
        const numbers = grid.flat().filter((_, cell) => cells.flat()[cell] === letter);
        return [numbers, [...numbers].reverse()].some((order) => compute(order.join(operator)) === Number(target));
      })
    );
  },
};

export function oracle(task: string): Oracle {
  const found = byTask[task];
  if (!found) throw new Error(`oracles.ts: no oracle for the task "${task}" (add one to byTask)`);
  return found;
}

/** All Latin squares with the numbers 1 to `size`, as answers: each cell in turn takes every number that its row and column lack. */
export function latinAnswers(size: number): string[] {
  const extend = (cells: readonly number[]): string[] => {
    if (cells.length === size * size) return [cells.join(" ")];
    const column = cells.filter((_, cell) => cell % size === cells.length % size);
    const seen = [...cells.slice(cells.length - (cells.length % size)), ...column];
    return Array.from({ length: size }, (_, index) => index + 1)
      .filter((number) => !seen.includes(number))
      .flatMap((number) => extend([...cells, number]));
  };
  return extend([]);
}
