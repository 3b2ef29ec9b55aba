// Readers of the wrappers that questions ask for. Each returns the last complete answer in a text.

import { lastCodeBlock } from "./final-text.js";
import { findLiterals, itemsOf, type Literal, parseLiteral } from "./literal.js";

/** Returns the last list of lists anywhere in a text, with or without a code block around it. Undefined if there is none. */
export function lastNestedList(text: string): { readonly literal: Literal; readonly found: string } | undefined {
  const last = findLiterals(text, "[")
    .filter(({ literal }) => itemsOf(literal)?.some((item) => item.kind === "list"))
    .at(-1);
  return last && { literal: last.literal, found: text.slice(last.begin, last.end) };
}

/** Returns the literal that fills the last code block. Undefined if there is no block, or if it holds anything else. */
export function lastBlockLiteral(text: string): { readonly literal: Literal; readonly found: string } | undefined {
  const found = lastCodeBlock(text);
  const literal = found === undefined ? undefined : parseLiteral(found);
  return literal && found !== undefined ? { literal, found: found.trim() } : undefined;
}
