// Reads answers that are JSON in a code block, and compares them without type conversion.

import { codeBlocks } from "./final-text.js";
import { type Literal, parseLiteral } from "./literal.js";

/** Returns the last code block that has the tag `json`, or no tag and valid JSON content. Returns undefined if there is none. */
export function lastJsonBlock(text: string): string | undefined {
  return codeBlocks(text)
    .filter(({ language, content }) => language === "json" || (language === "" && parseLiteral(content, "json") !== undefined))
    .at(-1)
    ?.content.trim();
}

/**
 * Converts a literal to a canonical text, so that two literals are equal exactly if their texts are equal. 7, 7.0 and "7" give different
 * texts. The order of keys does not matter.
 *
 * @param duplicates whether a duplicate key is refused, or its last value counts
 * @returns undefined for a refused duplicate key, or a key that is not a string
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
