// Parses literal data: lists, tuples, dictionaries, strings, numbers and booleans. It evaluates no code.

/** A parsed literal. Numbers keep their kind, because `true`, `1`, `1.0` and `"1"` are different answers. */
export type Literal =
  | { readonly kind: "integer"; readonly value: number }
  | { readonly kind: "decimal"; readonly text: string }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "boolean"; readonly value: boolean }
  | { readonly kind: "null" }
  | { readonly kind: "list" | "tuple"; readonly items: readonly Literal[] }
  | { readonly kind: "dictionary"; readonly entries: readonly (readonly [Literal, Literal])[] };

/**
 * The syntax of literals. `python` accepts Python and JSON: single and double quotes, tuples, trailing commas, `#` comments, and None, True
 * and False or their JSON forms. `python without comments` is for questions that forbid comments. `json` accepts only JSON.
 */
export type Dialect = "python" | "python without comments" | "json";

/** A literal that was found in a text. */
export interface Found {
  readonly literal: Literal;
  /** Offset of the first character. */
  readonly begin: number;
  /** Offset after the last character. */
  readonly end: number;
}

/** Maximum nesting depth of a literal. No right answer has more than four levels. */
const MAX_DEPTH = 12;
/** Maximum number of digits of an integer. */
const MAX_DIGITS = 15;
/** Maximum number of characters that a search reads per character of the text. It keeps the time linear for any text. */
const MAX_READS_PER_CHARACTER = 16;

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f", '"': '"', "'": "'", "\\": "\\", "/": "/" };
/** Matches a number or a name at an offset. */
const WORD = /[A-Za-z0-9_.+-]*/y;

class LiteralParser {
  private at = 0;
  /** Number of characters that may still be read. */
  reads: number;

  constructor(
    private readonly text: string,
    private readonly dialect: Dialect,
  ) {
    this.reads = MAX_READS_PER_CHARACTER * text.length + 1000;
  }

  /** Parses the literal that begins at an offset. Returns undefined if there is none. */
  parseAt(begin: number): Found | undefined {
    this.at = begin;
    const literal = this.value(0);
    this.reads -= this.at - begin;
    return literal && { literal, begin, end: this.at };
  }

  /** Skips white space and comments. */
  skipBlanks(at = this.at): number {
    this.at = at;
    for (;;) {
      const char = this.text[this.at];
      if (char === " " || char === "\n" || char === "\t" || char === "\r") this.at++;
      else if (char === "#" && this.dialect === "python") {
        const end = this.text.indexOf("\n", this.at);
        const next = end < 0 ? this.text.length : end;
        this.reads -= next - this.at;
        this.at = next;
      } else return this.at;
    }
  }

  private value(depth: number): Literal | undefined {
    if (depth > MAX_DEPTH || this.reads - this.at < -this.text.length) return undefined;
    const char = this.text[this.at];
    if (char === "[") return this.sequence("list", "]", depth);
    if (char === "(" && this.dialect !== "json") return this.sequence("tuple", ")", depth);
    if (char === "{") return this.dictionary(depth);
    if (char === '"' || (char === "'" && this.dialect !== "json")) return this.string(char);
    return this.word();
  }

  private sequence(kind: "list" | "tuple", close: string, depth: number): Literal | undefined {
    const items: Literal[] = [];
    let comma = false;
    this.at++;
    for (;;) {
      this.skipBlanks();
      if (this.text[this.at] === close) {
        // JSON allows no trailing comma. In Python, parentheses around a single value without a comma do not form a tuple.
        if (this.dialect === "json" && comma) return undefined;
        this.at++;
        return kind === "tuple" && items.length === 1 && !comma ? items[0] : { kind, items };
      }
      if (items.length > 0 && !comma) return undefined;
      const item = this.value(depth + 1);
      if (!item) return undefined;
      items.push(item);
      comma = this.takeComma();
    }
  }

  private dictionary(depth: number): Literal | undefined {
    const entries: [Literal, Literal][] = [];
    let comma = false;
    this.at++;
    for (;;) {
      this.skipBlanks();
      if (this.text[this.at] === "}") {
        if (this.dialect === "json" && comma) return undefined;
        this.at++;
        return { kind: "dictionary", entries };
      }
      if (entries.length > 0 && !comma) return undefined;
      const key = this.value(depth + 1);
      if (!key || (this.dialect === "json" && key.kind !== "string")) return undefined;
      this.skipBlanks();
      if (this.text[this.at] !== ":") return undefined;
      this.at++;
      this.skipBlanks();
      const value = this.value(depth + 1);
      if (!value) return undefined;
      entries.push([key, value]);
      comma = this.takeComma();
    }
  }

  private takeComma(): boolean {
    this.skipBlanks();
    if (this.text[this.at] !== ",") return false;
    this.at++;
    return true;
  }

  private string(quote: string): Literal | undefined {
    let value = "";
    let from = ++this.at;
    for (; ; this.at++) {
      const char = this.text[this.at];
      if (char === undefined || char === "\n") return undefined;
      if (char !== quote && char !== "\\") continue;
      value += this.text.slice(from, this.at);
      if (char === quote) {
        this.at++;
        return { kind: "string", value };
      }
      const escaped = this.text[++this.at] ?? "";
      const hex = escaped === "u" ? /^[0-9a-fA-F]{4}/.exec(this.text.slice(this.at + 1, this.at + 5))?.[0] : undefined;
      const plain = hex === undefined ? ESCAPES[escaped] : String.fromCharCode(Number.parseInt(hex, 16));
      if (plain === undefined) return undefined;
      value += plain;
      this.at += hex?.length ?? 0;
      from = this.at + 1;
    }
  }

  private word(): Literal | undefined {
    const begin = this.at;
    WORD.lastIndex = begin;
    const word = WORD.exec(this.text)?.[0] ?? "";
    this.at += word.length;
    if (word.length > 40) return undefined;
    if (/^-?(?:0|[1-9][0-9]*)$/.test(word)) {
      return word.length > MAX_DIGITS ? undefined : { kind: "integer", value: Number(word) };
    }
    if (/^-?(?:0|[1-9][0-9]*)\.[0-9]+$/.test(word)) return { kind: "decimal", text: word };
    const python = this.dialect !== "json";
    if (word === "true" || (python && word === "True")) return { kind: "boolean", value: true };
    if (word === "false" || (python && word === "False")) return { kind: "boolean", value: false };
    if (word === "null" || (python && word === "None")) return { kind: "null" };
    return undefined;
  }
}

/** Parses a text that consists of one literal, with optional white space and comments around it. Returns undefined for any other text. */
export function parseLiteral(text: string, dialect: Dialect = "python"): Literal | undefined {
  const parser = new LiteralParser(text, dialect);
  const found = parser.parseAt(parser.skipBlanks(0));
  return found && parser.skipBlanks(found.end) === text.length ? found.literal : undefined;
}

/**
 * Finds all complete literals that begin with one of the given brackets, from left to right. Literals inside other literals are left out.
 * The time is linear in the length of the text.
 *
 * @param opening the brackets to look for, any of `[`, `(`, `{`
 */
export function findLiterals(text: string, opening: string, dialect: Dialect = "python"): Found[] {
  const parser = new LiteralParser(text, dialect);
  const found: Found[] = [];
  for (let at = 0; at < text.length && parser.reads > 0; at++) {
    if (!opening.includes(text[at]!)) continue;
    const next = parser.parseAt(at);
    if (!next) continue;
    found.push(next);
    at = next.end - 1;
  }
  return found;
}

/** Returns the items of a list, or of a list or tuple. Returns undefined for any other literal. */
export function itemsOf(literal: Literal | undefined, kind: "list" | "list or tuple" = "list"): readonly Literal[] | undefined {
  if (literal?.kind === "list") return literal.items;
  return literal?.kind === "tuple" && kind === "list or tuple" ? literal.items : undefined;
}

/**
 * Converts a list of equally long lists to a rectangular grid. Returns undefined if the literal has another shape, or if `cell` rejects a
 * cell.
 *
 * @param cell converts a cell; returns undefined to reject it
 */
export function gridOf<Cell>(
  literal: Literal | undefined,
  cell: (literal: Literal) => Cell | undefined,
  kind: "list" | "list or tuple" = "list",
): Cell[][] | undefined {
  const rows = itemsOf(literal, kind)?.map((row) => itemsOf(row, kind)?.map(cell));
  if (!rows || rows.length === 0) return undefined;
  if (rows.some((row) => !row || row.length !== rows[0]!.length || row.includes(undefined))) return undefined;
  return rows as Cell[][];
}

export const integerOf = (literal: Literal): number | undefined => (literal.kind === "integer" ? literal.value : undefined);
export const stringOf = (literal: Literal): string | undefined => (literal.kind === "string" ? literal.value : undefined);
