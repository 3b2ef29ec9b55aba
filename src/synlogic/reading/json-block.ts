// Reads answers that are JSON in a code block, and compares them without converting types.

import { codeBlocks } from "./final-text.js";
import { type Literal, parseLiteral } from "./literal.js";

/** Returns the last code block with the tag `json`, or without a tag if it holds JSON. Undefined if there is none. */
export function lastJsonBlock(text: string): string | undefined {
  return codeBlocks(text)
    .filter(({ language, content }) => language === "json" || (language === "" && parseLiteral(content, "json") !== undefined))
    .at(-1)
    ?.content.trim();
}

/**
 * Writes a literal in one canonical way, so that equal values give equal texts: 7, 7.0 and "7" stay apart, and the order of keys does not
 * matter.
 *
 * @param duplicates what to do with a key that is given twice
 * @returns undefined for a duplicate key that is refused, or a key that is not a string
 */
export function canonicalText(literal: Literal, duplicates: "refuse" | "last counts" = "refuse"): string | undefined {
  switch (literal.kind) {
    case "integer":
    case "boolean":
    case "string":
      return JSON.stringify(literal.value);
    case "decimal":
      return literal.text;
    case "null":
      return "null";
    case "dictionary": {
      const entries = new Map<string, string>();
      for (const [key, value] of literal.entries) {
        const text = canonicalText(value, duplicates);
        if (key.kind !== "string" || text === undefined || (duplicates === "refuse" && entries.has(key.value))) return undefined;
        entries.set(key.value, text);
      }
      const sorted = [...entries].sort(([one], [other]) => (one < other ? -1 : 1));
      return `{${sorted.map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(",")}}`;
    }
    default: {
      const items = literal.items.map((item) => canonicalText(item, duplicates));
      if (items.includes(undefined)) return undefined;
      return literal.kind === "list" ? `[${items.join(",")}]` : `(${items.join(",")})`;
    }
  }
}
