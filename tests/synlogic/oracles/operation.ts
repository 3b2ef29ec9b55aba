import type { Oracle } from "../oracle.js";

interface Definition {
  readonly conditions: readonly { readonly condition: string; readonly operation: string }[];
  readonly default_operation: string;
  readonly precedence: number;
}
type Definitions = Readonly<Record<string, Definition>>;

const RANKS: Readonly<Record<string, number>> = { "**": 3, "*": 2, "/": 2, "%": 2, "+": 1, "-": 1 };

/** Each condition on integers, as a function. */
const CONDITIONS: Readonly<Record<string, (x: number, y: number) => boolean>> = {
  x和y都是偶数: (x, y) => x % 2 === 0 && y % 2 === 0,
  x和y都是奇数: (x, y) => x % 2 !== 0 && y % 2 !== 0,
  x是偶数: (x) => x % 2 === 0,
  x是奇数: (x) => x % 2 !== 0,
  y是偶数: (_, y) => y % 2 === 0,
  y是奇数: (_, y) => y % 2 !== 0,
  x大于y: (x, y) => x > y,
  x小于y: (x, y) => x < y,
  x等于y: (x, y) => x === y,
  x是3的倍数: (x) => x % 3 === 0,
  x是5的倍数: (x) => x % 5 === 0,
  y是3的倍数: (_, y) => y % 3 === 0,
  y是5的倍数: (_, y) => y % 5 === 0,
  x和y的和是偶数: (x, y) => (x + y) % 2 === 0,
  x和y的和是奇数: (x, y) => (x + y) % 2 !== 0,
};

/** Replaces brackets by their values, then again and again the first operator of the highest rank by its result. */
function value(text: string, definitions: Definitions, names: Readonly<Record<string, number>> = {}): number {
  const items: (number | string)[] = [];
  for (let at = 0; at < text.length; ) {
    const rest = text.slice(at);
    const open = /^(Abs)?\(/.exec(rest)?.[0];
    const token = open ?? /^(?:\s+|[0-9]+|\*\*|.)/.exec(rest)![0];
    at += token.length;
    if (open !== undefined) {
      const begin = at;
      for (let depth = 1; depth > 0; at++) depth += text[at] === "(" ? 1 : text[at] === ")" ? -1 : 0;
      const inner = value(text.slice(begin, at - 1), definitions, names);
      items.push(open === "(" ? inner : Math.abs(inner));
    } else if (token === "-" && items.length === 0) items.push(-1, "*");
    else if (/[0-9]/.test(token)) items.push(Number(token));
    else if (token === "x" || token === "y") items.push(names[token]!);
    else if (token.trim() !== "") items.push(token);
  }
  const rank = (item: number | string) => RANKS[item] ?? definitions[item]!.precedence;
  while (items.length > 1) {
    const operators = items.filter((_, i) => i % 2 === 1);
    const highest = Math.max(...operators.map(rank));
    const i = items.findIndex((item, j) => j % 2 === 1 && rank(item) === highest);
    items.splice(i - 1, 3, apply(items[i] as string, items[i - 1] as number, items[i + 1] as number, definitions));
  }
  return items[0] as number;
}

function apply(sign: string, x: number, y: number, definitions: Definitions): number {
  const plain = { "+": x + y, "-": x - y, "*": x * y, "/": x / y, "%": x % y, "**": x ** y }[sign];
  if (plain !== undefined) return plain;
  const { conditions, default_operation } = definitions[sign]!;
  const branch = conditions.find(({ condition }) => CONDITIONS[condition]!(x, y));
  return value(branch?.operation ?? default_operation, definitions, { x, y });
}

export const oracle: Oracle = {
  unique: true,
  candidate(row, random) {
    const { expression, symbol_definitions } = row.metadata as unknown as { expression: string; symbol_definitions: Definitions };
    const truth = value(expression, symbol_definitions);
    // Also what comes out without the precedence of the question, or with a sign or a digit wrong.
    const flat = value(
      expression,
      Object.fromEntries(Object.entries(symbol_definitions).map(([sign, one]) => [sign, { ...one, precedence: 2 }])),
    );
    const kinds = [truth, truth, flat, -truth, truth + 1, truth * 10, Math.floor(random.next() * 50)];
    const drawn = kinds[Math.floor(random.next() * kinds.length)]!;
    const right = drawn === truth;
    return { text: `\\boxed{${Number.isInteger(drawn) ? BigInt(drawn) : drawn.toFixed(6)}}`, right };
  },
};
