// Finds rules of a tokenizer.json that could exhaust time or memory, before they are applied. Such rules are regular expressions that
// backtrack exponentially, and replacements that multiply the length of a text. Patterns of polynomial cost are not found.

import { CheckpointError } from "../base/errors.js";
import { isObject } from "../base/json.js";

/** Maximum factor by which all replacements together may lengthen a text. */
const MAX_TEXT_GROWTH = 1000;

/**
 * Maximum number of repetitions in a test search, followed by its time limit. A harmless search takes microseconds. A search beyond the
 * limit counts as exponential.
 */
const MAX_PUMP_REPETITIONS = 28;
const SLOW_SEARCH_MS = 20;

/** Checks the rules of a tokenizer.json. @throws {CheckpointError} rules that could exhaust time or memory */
export function expectBoundedRules(json: Readonly<Record<string, unknown>>): void {
  for (const part of ["normalizer", "pre_tokenizer", "decoder"]) {
    const where = `tokenizer: tokenizer.json: ${part}`;
    const growth = growthOf(json[part]);
    if (growth > MAX_TEXT_GROWTH) {
      throw new CheckpointError(
        `${where}: expected rules that lengthen a text at most ${MAX_TEXT_GROWTH}-fold, got ${growth.toPrecision(3)}-fold`,
      );
    }
    for (const source of patternsOf(json[part])) {
      if (!isExponential(source)) continue;
      const shown = JSON.stringify(source.slice(0, 80));
      throw new CheckpointError(
        `${where}: expected patterns whose cost does not grow exponentially, got ${shown} (use the tokenizer of the original model)`,
      );
    }
  }
}

/** Returns the factor by which a text can become longer, which is the product over all replacements. */
function growthOf(rules: unknown): number {
  if (Array.isArray(rules)) return rules.reduce((product: number, rule) => product * growthOf(rule), 1);
  if (!isObject(rules)) return 1;
  const nested = Object.values(rules).reduce((product: number, rule) => product * growthOf(rule), 1);
  if (rules.type !== "Replace" || typeof rules.content !== "string") return nested;
  const pattern = isObject(rules.pattern) ? rules.pattern.String : undefined;
  // A pattern may match one character, and the empty string before it.
  const factor = typeof pattern === "string" && pattern !== "" ? rules.content.length / pattern.length : rules.content.length + 1;
  return nested * Math.max(1, factor);
}

function patternsOf(rules: unknown): string[] {
  if (Array.isArray(rules)) return rules.flatMap(patternsOf);
  if (!isObject(rules)) return [];
  return Object.entries(rules).flatMap(([key, value]) => (key === "Regex" && typeof value === "string" ? [value] : patternsOf(value)));
}

/** Returns whether the cost of a search grows exponentially with repetitions of text from the pattern. */
function isExponential(source: string): boolean {
  if (!repeatsChoices(source)) return false;
  const pattern = compile(source);
  if (!pattern) return false;
  const literals = [...new Set(source.replace(/\\./g, "").replace(/[^\p{L}\p{N} _-]/gu, ""))].slice(0, 12);
  const runs = (source.match(/[\p{L}\p{N} _-]{2,}/gu) ?? []).slice(0, 6);
  const pairs = literals.flatMap((a) => literals.map((b) => a + b));
  const pumps = new Set([...literals, ..."aA0 _-.,\n漢é", "a ", "a0", ...runs, ...pairs]);
  const prefixes = ["", ...runs, ...literals.slice(0, 4)];
  for (const pump of pumps) {
    for (const prefix of prefixes) for (const suffix of ["\u0001", "!", "\n"]) if (explodes(pattern, prefix, pump, suffix)) return true;
  }
  return false;
}

/** Searches texts of growing length, so that the first slow search does not take very long. */
function explodes(pattern: RegExp, prefix: string, pump: string, suffix: string): boolean {
  for (let count = 1; count <= MAX_PUMP_REPETITIONS; count++) {
    const text = prefix + pump.repeat(count) + suffix;
    // The time is measured twice, because a single slow search may be due to a busy machine.
    if (milliseconds(pattern, text) > SLOW_SEARCH_MS && milliseconds(pattern, text) > SLOW_SEARCH_MS) return true;
  }
  return false;
}

function milliseconds(pattern: RegExp, text: string): number {
  const begin = performance.now();
  pattern.test(text);
  return performance.now() - begin;
}

/** Returns whether a repeated group contains a choice. Only such patterns can backtrack exponentially. */
function repeatsChoices(source: string): boolean {
  const choices = [false];
  // Escapes, classes, beginnings of groups, and quantifiers. Everything else is a single character.
  const parts =
    source.match(
      /\\[pPk]\{[^}]*\}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\((?:\?(?:[a-z-]*:|[=!]|<[=!]|<\w+>))?|\)|[*+?]\??|\{\d+(?:,\d*)?\}\??|./gsu,
    ) ?? [];
  for (const [i, part] of parts.entries()) {
    if (part.startsWith("(")) choices.push(false);
    else if (part === "|" || /^([*+?]|\{\d+,)/.test(part)) choices[choices.length - 1] = true;
    else if (part === ")" && choices.length > 1) {
      const choice = choices.pop()!;
      const most = /^\{\d+,(\d*)/.exec(parts[i + 1] ?? "")?.[1];
      const repeated = /^[*+]/.test(parts[i + 1] ?? "") || (most !== undefined && (most === "" || Number(most) > 8));
      if (choice && repeated) return true;
      if (choice) choices[choices.length - 1] = true;
    }
  }
  return false;
}

/** Compiles a pattern as the tokenizer does. Returns undefined if the tokenizer would refuse it. */
function compile(source: string): RegExp | undefined {
  for (const [text, flags] of [
    [source, "u"],
    [source.replaceAll("(?i:", "(?:"), "u"],
    [source, ""],
  ] as const) {
    try {
      return new RegExp(text, flags);
    } catch {}
  }
  return undefined;
}
