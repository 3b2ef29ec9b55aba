import type { Random } from "../../../src/base/random.js";
import type { Oracle } from "../oracle.js";

type Puzzle = { readonly numbers: readonly number[]; readonly result: number; readonly operators: readonly string[] };

/** A value as numerator and denominator, with its expression. */
interface Term {
  readonly n: number;
  readonly d: number;
  readonly text: string;
}

const pick = <Item>(random: Random, items: readonly Item[]): Item => items[Math.floor(random.next() * items.length)]!;

function join(a: Term, b: Term, sign: string): Term {
  const text = `(${a.text}${sign}${b.text})`;
  if (sign === "+") return { n: a.n * b.d + b.n * a.d, d: a.d * b.d, text };
  if (sign === "-") return { n: a.n * b.d - b.n * a.d, d: a.d * b.d, text };
  return sign === "*" ? { n: a.n * b.n, d: a.d * b.d, text } : { n: a.n * b.d, d: a.d * b.n, text };
}

/** All trees over a split of the numbers into two parts, each in both orders. */
function trees(numbers: readonly number[], operators: readonly string[]): Term[] {
  if (numbers.length === 1) return [{ n: numbers[0]!, d: 1, text: String(numbers[0]) }];
  const all: Term[] = [];
  for (let part = 1; part < (1 << numbers.length) - 1; part++) {
    const left = trees(
      numbers.filter((_, i) => (part >> i) & 1),
      operators,
    );
    const right = trees(
      numbers.filter((_, i) => !((part >> i) & 1)),
      operators,
    );
    for (const a of left) for (const b of right) for (const sign of operators) all.push(join(a, b, sign));
  }
  return all;
}

const isRight = ({ n, d }: Term, { result }: Puzzle) => d !== 0 && n === result * d;

const known = new Map<string, Term[]>();
function solutionsOf(puzzle: Puzzle): Term[] {
  const key = JSON.stringify([puzzle.numbers, puzzle.result]);
  const found = known.get(key) ?? trees(puzzle.numbers, puzzle.operators).filter((term) => isRight(term, puzzle));
  known.set(key, found);
  return found;
}

function randomTree(numbers: readonly number[], operators: readonly string[], random: Random): Term {
  const terms: Term[] = numbers.map((n) => ({ n, d: 1, text: String(n) }));
  while (terms.length > 1) {
    const [a] = terms.splice(Math.floor(random.next() * terms.length), 1);
    const [b] = terms.splice(Math.floor(random.next() * terms.length), 1);
    terms.push(join(a!, b!, pick(random, operators)));
  }
  return terms[0]!;
}

export const oracle: Oracle = {
  unique: false,
  candidate(row, random) {
    const puzzle = row.metadata as unknown as Puzzle;
    const kind = random.next();
    const term = kind < 0.5 ? pick(random, solutionsOf(puzzle)) : randomTree(puzzle.numbers, puzzle.operators, random);
    const text = (inner: string) => `\`\`\`python\n${inner}\n\`\`\``;
    if (kind < 0.4 || kind > 0.6) return { text: text(term.text), right: isRight(term, puzzle) };
    // A number that is not given, or one left out.
    const last = /[0-9]+(?=[^0-9]*$)/;
    const other = Number(last.exec(term.text)![0]) + 1;
    return { text: text(random.next() < 0.5 ? term.text.replace(last, String(other)) : `${term.text}+1`), right: false };
  },
  solutions: (row) => solutionsOf(row.metadata as unknown as Puzzle).length,
};
