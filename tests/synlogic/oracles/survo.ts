import type { Random } from "../../../src/base/random.js";
import type { Row } from "../../../src/synlogic/index.js";
import type { Oracle } from "../oracle.js";

/** Reads the matrix and the numbers from the question. 0 stands for X. */
function parse(row: Row) {
  const [matrix, numbers] = row.question.split("\n").filter((line) => line.startsWith("[") && line.length > 1);
  return { matrix: JSON.parse(matrix!.replaceAll("'X'", "0")) as number[][], numbers: JSON.parse(numbers!) as number[] };
}

function orders(numbers: readonly number[]): number[][] {
  if (numbers.length === 0) return [[]];
  return [...new Set(numbers)].flatMap((number) => {
    const rest = [...numbers];
    rest.splice(rest.indexOf(number), 1);
    return orders(rest).map((order) => [number, ...order]);
  });
}

function fill(matrix: readonly (readonly number[])[], numbers: readonly number[]): number[][] {
  const queue = [...numbers];
  return matrix.map((line) => line.map((cell) => cell || queue.shift()!));
}

/** Sums only: the numbers are placed by `fill`. */
function balanced(grid: readonly (readonly number[])[]): boolean {
  const end = grid.length - 1;
  for (let k = 0; k <= end; k++) {
    let [row, column] = [0, 0];
    for (let m = 0; m < end; m++) {
      row += grid[k]![m]!;
      column += grid[m]![k]!;
    }
    if (row !== grid[k]![end] || column !== grid[end]![k]) return false;
  }
  return true;
}

const solutions = (row: Row) => {
  const { matrix, numbers } = parse(row);
  return orders(numbers).filter((order) => balanced(fill(matrix, order)));
};

export const oracle: Oracle = {
  unique: true,
  candidate(row, random: Random) {
    const { matrix, numbers } = parse(row);
    const order = [...solutions(row)[0]!];
    const at = () => Math.floor(random.next() * order.length);
    const change = random.next();
    if (change < 0.3) {
      const [a, b] = [at(), at()];
      [order[a], order[b]] = [order[b]!, order[a]!];
    } else if (change < 0.5) {
      order[at()]! += Math.floor(random.next() * 3) - 1;
    }
    const grid = fill(matrix, order);
    let given = true;
    if (change > 0.9) {
      const [i, j] = [Math.floor(random.next() * grid.length), Math.floor(random.next() * grid.length)];
      grid[i]![j]! += 1;
      given = false;
    }
    const same = (list: readonly number[]) => [...list].sort((a, b) => a - b).join();
    return { text: `\`\`\`python\n${JSON.stringify(grid)}\n\`\`\``, right: given && same(order) === same(numbers) && balanced(grid) };
  },
  solutions: (row) => solutions(row).length,
};
