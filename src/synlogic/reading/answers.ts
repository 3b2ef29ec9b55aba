// Finds answers in the formats that questions ask for, such as a list or a code block. Each function returns the last complete answer in a
// text.

import { codeBlocks } from "./final-text.js";
import { type Dialect, findLiterals, itemsOf, type Literal, parseLiteral } from "./literal.js";

/** Returns the last list of lists in a text, inside or outside of a code block. Returns undefined if there is none. */
export function lastNestedList(text: string): { readonly literal: Literal; readonly found: string } | undefined {
  const last = findLiterals(text, "[")
    .filter(({ literal }) => isNested(literal))
    .at(-1);
  return last && { literal: last.literal, found: text.slice(last.begin, last.end) };
}

/** A list that was found in a text. */
export interface FoundList {
  readonly items: readonly Literal[];
  readonly found: string;
  /** The text after the list. */
  readonly rest: string;
  /** Whether the text offers this list as an alternative to the list before it. Neither list is then the answer. */
  readonly alternative: boolean;
}

/** Returns the last list whose items all fulfil a condition. Returns undefined if there is none. */
export function lastListOf(text: string, fits: (item: Literal) => boolean): FoundList | undefined {
  const lists = findLiterals(text, "[").filter(({ literal }) => itemsOf(literal)?.every(fits));
  const [before, last] = [lists.at(-2), lists.at(-1)];
  if (!last) return undefined;
  const between = before && last.begin - before.end < 40 ? text.slice(before.end, last.begin) : "";
  return {
    items: itemsOf(last.literal)!,
    found: text.slice(last.begin, last.end),
    rest: text.slice(last.end),
    alternative: /^[\s,;，；]*(?:or|或|或者|或是|\/)[\s,:，：]*$/i.test(between),
  };
}

/** The required form of a code block that holds a literal. */
export interface BlockFormat {
  /** Allowed language tags of the block. By default `python`, `py` and no tag. */
  readonly languages?: readonly string[];
  /** The syntax of the literal (`python`). */
  readonly dialect?: Dialect;
}

/** Returns the literal in the last code block that holds exactly one literal. Returns undefined if there is no such block. */
export function lastBlockLiteral(
  text: string,
  { languages = ["python", "py", ""], dialect }: BlockFormat = {},
): { readonly literal: Literal; readonly found: string } | undefined {
  return codeBlocks(text)
    .filter(({ language }) => languages.includes(language))
    .flatMap(({ content }) => {
      const literal = parseLiteral(content, dialect);
      return literal ? [{ literal, found: content.trim() }] : [];
    })
    .at(-1);
}

/** A list of lists that fills a code block. */
export interface BlockGrid {
  readonly literal: Literal;
  readonly found: string;
  /** Whether the block assigns the list to a name instead of holding only the list. */
  readonly assigned: boolean;
}

/**
 * Returns the list of lists that fills the last code block of this kind. It is for questions that ask for the block at the end. Returns
 * undefined if there is none, or if another list of lists follows it.
 */
export function finalBlockGrid(text: string): BlockGrid | undefined {
  const last = codeBlocks(text)
    .filter(({ language }) => ["python", "py", ""].includes(language))
    .flatMap((block) => {
      const name = /^\s*[A-Za-z_][A-Za-z0-9_]{0,40} *= */.exec(block.content)?.[0] ?? "";
      const literal = parseLiteral(block.content.slice(name.length));
      return isNested(literal) ? [{ block, literal, assigned: name !== "" }] : [];
    })
    .at(-1);
  if (!last || lastNestedList(text.slice(last.block.end))) return undefined;
  return { literal: last.literal, found: last.block.content.trim(), assigned: last.assigned };
}

function isNested(literal: Literal | undefined): literal is Literal {
  return itemsOf(literal)?.some((item) => item.kind === "list") ?? false;
}
