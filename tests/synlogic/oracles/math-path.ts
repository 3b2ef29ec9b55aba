import type { Random } from "../../../src/base/random.js";
import type { Oracle } from "../oracle.js";

/** Reduces a list of numbers and operators by the operators of one rank, from left to right. Undefined if a step is not allowed. */
function reduce(items: readonly (number | string)[], rank: string): (number | string)[] | undefined {
  const done: (number | string)[] = [items[0]!];
  for (let i = 1; i < items.length; i += 2) {
    const [sign, right] = [items[i] as string, items[i + 1] as number];
    if (!rank.includes(sign)) {
      done.push(sign, right);
      continue;
    }
    const left = done.pop() as number;
    if (sign === "/" && (right === 0 || left % right !== 0)) return undefined;
    if (sign === "%" && (right <= 0 || left < 0)) return undefined;
    done.push({ "+": left + right, "-": left - right, "*": left * right, "/": left / right, "%": left % right }[sign]!);
  }
  return done;
}

function flat(text: string): number | undefined {
  const items = (text.match(/[0-9]|[-+*/%]/g) ?? []).map((item) => (/[0-9]/.test(item) ? Number(item) : item));
  const products = reduce(items, "*/%");
  return products && (reduce(products, "+-")?.[0] as number | undefined);
}

/** Replaces brackets, which are never nested, by their values. */
function value(text: string): number | undefined {
  const items: (number | string)[] = [];
  for (const [, inner, digit, sign] of text.matchAll(/\(([^)]*)\)|([0-9])|([-+*/%])/g)) {
    if (inner !== undefined) {
      const result = flat(inner);
      if (result === undefined) return undefined;
      items.push(result);
    } else items.push(digit === undefined ? sign! : Number(digit));
  }
  const products = reduce(items, "*/%");
  return products && (reduce(products, "+-")?.[0] as number | undefined);
}

function fits(text: string, query: string): boolean {
  const pattern = query.replaceAll(" ", "").replace(/[-+*/%()]/g, "\\$&");
  if (!new RegExp(`^${pattern.replaceAll("?", "[0-9]")}$`).test(text.replaceAll(" ", ""))) return false;
  const [left, right] = text.split("=");
  return value(left!) === Number(right);
}

export const oracle: Oracle = {
  unique: false,
  candidate(row, random: Random) {
    const { ref_expr, query_expr } = row.metadata as unknown as { ref_expr: string; query_expr: string };
    let text = ref_expr;
    const kind = random.next();
    const places = [...text.split("=")[0]!].flatMap((char, i) => (/[0-9]/.test(char) ? [i] : []));
    const at = places[Math.floor(random.next() * places.length)]!;
    const put = (i: number, char: string) => `${text.slice(0, i)}${char}${text.slice(i + 1)}`;
    if (kind < 0.5) {
      // Other digits for all question marks, or for one digit, which may be a given one.
      for (let i = 0; i < 40; i++) {
        const drawn = query_expr.replace(/\?/g, () => String(Math.floor(random.next() * 10)));
        text = drawn;
        if (fits(drawn, query_expr)) break;
      }
    } else if (kind < 0.8) text = put(at, String(Math.floor(random.next() * 10)));
    else if (kind < 0.85) text = text.replace(/[-+*/%]/, (sign) => (sign === "+" ? "-" : "+"));
    else if (kind < 0.9) text = `(${text.replace("=", ")=")}`;
    return { text: `[[${text}]]`, right: fits(text, query_expr) };
  },
  solutions(row) {
    const { query_expr } = row.metadata as unknown as { query_expr: string };
    const hidden = query_expr.split("?").length - 1;
    let count = 0;
    for (let i = 0; i < 10 ** hidden && count < 2; i++) {
      const digits = [...String(i).padStart(hidden, "0")];
      if (
        fits(
          query_expr.replace(/\?/g, () => digits.shift()!),
          query_expr,
        )
      )
        count++;
    }
    return count;
  },
};
