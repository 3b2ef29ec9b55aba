// Signs, conditions and the question of the operation task.

import type { Language } from "../row.js";
import type { StoredDefinition } from "./operation.js";

export const SIGNS = ["⊕", "⊗", "⊙", "△", "▽", "◇", "☆", "□", "◎"] as const;

/** The conditions of definitions. The metadata contains the Chinese text. */
export const CONDITIONS: readonly Readonly<Record<Language, string>>[] = [
  { zh: "x和y都是偶数", en: "x and y are both even" },
  { zh: "x和y都是奇数", en: "x and y are both odd" },
  { zh: "x是偶数", en: "x is even" },
  { zh: "x是奇数", en: "x is odd" },
  { zh: "y是偶数", en: "y is even" },
  { zh: "y是奇数", en: "y is odd" },
  { zh: "x大于y", en: "x is greater than y" },
  { zh: "x小于y", en: "x is less than y" },
  { zh: "x等于y", en: "x is equal to y" },
  { zh: "x是3的倍数", en: "x is a multiple of 3" },
  { zh: "x是5的倍数", en: "x is a multiple of 5" },
  { zh: "y是3的倍数", en: "y is a multiple of 3" },
  { zh: "y是5的倍数", en: "y is a multiple of 5" },
  { zh: "x和y的和是偶数", en: "the sum of x and y is even" },
  { zh: "x和y的和是奇数", en: "the sum of x and y is odd" },
];

/** Formats the levels of precedence, from the highest to the lowest, such as `** > * = / = % > + = -`. */
function precedenceText(definitions: Readonly<Record<string, StoredDefinition>>): string {
  const levels = new Map<number, string[]>([
    [3, ["**"]],
    [2, ["*", "/", "%"]],
    [1, ["+", "-"]],
  ]);
  for (const [sign, { precedence }] of Object.entries(definitions)) levels.set(precedence, [...(levels.get(precedence) ?? []), sign]);
  const sorted = [...levels].sort(([a], [b]) => b - a);
  return sorted.map(([, signs]) => signs.join(" = ")).join(" > ");
}

export function operationQuestion(definitions: Readonly<Record<string, StoredDefinition>>, expression: string, language: Language): string {
  const zh = language === "zh";
  const lines = Object.entries(definitions).flatMap(([sign, { conditions, default_operation }]) => {
    const head = `x ${sign} y =`;
    if (conditions.length === 0) return zh ? `${head} ${default_operation}。` : `${head} ${default_operation}.`;
    const cases = conditions.map(({ condition, operation }) => {
      const english = CONDITIONS.find((one) => one.zh === condition)?.en ?? condition;
      return zh ? `如果${condition}，${head} ${operation}；` : `If ${english}, ${head} ${operation};`;
    });
    return [...cases, zh ? `否则，${head} ${default_operation}。` : `otherwise, ${head} ${default_operation}.`];
  });
  if (zh) {
    return `定义新的运算符号如下：
${lines.join("\n")}

运算的优先级（定义中的公式也适用）：${precedenceText(definitions)}。优先级相同的运算从左到右进行，括号最优先。
Abs 是绝对值，** 是乘方，% 是取余数。公式前面的负号在 ** 以及优先级不低于 ** 的运算之后才起作用：-2 ** 2 = -4。x 和 y 总是整个运算对象的值。

请计算：${expression}

结果是一个整数。请把它写在 \\boxed{} 中。`;
  }
  return `These signs are defined:
${lines.join("\n")}

Precedence, inside the definitions too: ${precedenceText(definitions)}. Equal precedence goes from left to right, and brackets come first.
Abs is the absolute value, ** the power, and % the remainder. A leading minus sign is applied after ** and all signs that rank with it or higher: -2 ** 2 = -4. x and y always stand for the values of whole operands.

Calculate ${expression}

The value is an integer. End your answer with it inside \\boxed{}.`;
}
