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

/**
 * Maximum nesting depth of a literal. No right answer has more than four levels. Brackets that are nested more deeply are skipped
 * with all that they hold.
 */
const MAX_DEPTH = 12;
/** Maximum number of digits of an integer. */
const MAX_DIGITS = 15;
/** Maximum number of characters that a search reads a second time, per character of the text. */
const MAX_REREAD_PER_CHARACTER = 4;

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f", '"': '"', "'": "'", "\\": "\\", "/": "/" };
/** Matches a number or a name at an offset. */
const WORD = /[A-Za-z0-9_.+-]*/y;

class LiteralParser {
  /** The next character. After a failure, the first character of what could not be read. */
  at = 0;
  /** Outermost complete literals so far, in brackets of the given kinds. */
  readonly found: Found[] = [];
  /** Offset of the first comment or string that contains brackets, in the literal that is being read. */
  private hidden: number | undefined;
  /** Whether the literal that is being read is nested too deeply. */
  private tooDeep = false;
  private reread = 0;

  /** @param opening the kinds of brackets whose literals are collected */
  constructor(
    private readonly text: string,
    private readonly dialect: Dialect,
    private readonly opening = "",
  ) {}

  /**
   * Collects all literals. If a bracket is not a literal, those inside it have been collected while it was read, so that hardly anything is
   * read twice.
   */
  collect(): void {
    const { text } = this;
    while (this.at < text.length && this.reread <= MAX_REREAD_PER_CHARACTER * text.length) {
      const begin = this.at;
      this.hidden = undefined;
      this.tooDeep = false;
      if (!this.opening.includes(text[begin]!)) this.at++;
      else if (!this.value(0)) {
        if (this.tooDeep) this.dropFrom(begin);
        // Outside a literal, comments and strings are plain text.
        else if (this.hidden !== undefined) this.returnTo(this.hidden);
        this.at = Math.max(this.at, begin + 1);
      }
    }
  }

  private returnTo(offset: number): void {
    this.reread += this.at - offset;
    this.at = offset;
    this.dropFrom(offset);
  }

  private dropFrom(offset: number): void {
    while (this.found.length > 0 && this.found.at(-1)!.begin >= offset) this.found.pop();
  }

  /** Skips white space and comments. */
  skipBlanks(): void {
    for (;;) {
      const char = this.text[this.at];
      if (char === " " || char === "\n" || char === "\t" || char === "\r") this.at++;
      else if (char === "#" && this.dialect === "python") {
        const begin = this.at;
        const end = this.text.indexOf("\n", begin);
        this.at = end < 0 ? this.text.length : end;
        this.noteHidden(begin);
      } else return;
    }
  }

  private noteHidden(begin: number): void {
    for (let at = begin; this.hidden === undefined && at < this.at; at++) if (this.opening.includes(this.text[at]!)) this.hidden = begin;
  }

  /** Reads the literal that begins here. Undefined if there is none. */
  value(depth: number): Literal | undefined {
    const begin = this.at;
    const char = this.text[begin];
    if (char === '"' || (char === "'" && this.dialect !== "json")) return this.string(char);
    const tuple = char === "(" && this.dialect !== "json";
    if (char !== "[" && char !== "{" && !tuple) return this.word();
    if (depth > MAX_DEPTH) {
      this.skipNested(depth);
      return undefined;
    }
    const literal = char === "{" ? this.dictionary(depth) : this.sequence(tuple ? "tuple" : "list", tuple ? ")" : "]", depth);
    if (literal && this.opening.includes(char)) {
      this.dropFrom(begin);
      if (this.hidden !== undefined && this.hidden > begin) this.hidden = undefined;
      this.found.push({ literal, begin, end: this.at });
    }
    return literal;
  }

  /** Skips all brackets that are open. @param depth their number */
  private skipNested(depth: number): void {
    for (let left = depth; left > 0 && this.at < this.text.length; this.at++) {
      if ("[({".includes(this.text[this.at]!)) left++;
      else if ("])}".includes(this.text[this.at]!)) left--;
    }
    this.tooDeep = true;
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
    const begin = this.at;
    const value = this.stringContent(quote);
    if (value === undefined) this.at = begin;
    else this.noteHidden(begin);
    return value === undefined ? undefined : { kind: "string", value };
  }

  private stringContent(quote: string): string | undefined {
    let value = "";
    let from = ++this.at;
    for (; ; this.at++) {
      const char = this.text[this.at];
      if (char === undefined || char === "\n") return undefined;
      if (char !== quote && char !== "\\") continue;
      value += this.text.slice(from, this.at);
      if (char === quote) {
        this.at++;
        return value;
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
    WORD.lastIndex = this.at;
    const word = WORD.exec(this.text)?.[0] ?? "";
    const literal = this.wordValue(word);
    if (literal) this.at += word.length;
    return literal;
  }

  private wordValue(word: string): Literal | undefined {
    if (word.length > 40) return undefined;
    if (/^-?(?:0|[1-9][0-9]*)$/.test(word)) return word.length > MAX_DIGITS ? undefined : { kind: "integer", value: Number(word) };
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
  parser.skipBlanks();
  const literal = parser.value(0);
  parser.skipBlanks();
  return parser.at === text.length ? literal : undefined;
}

/**
 * Finds all complete literals that begin with one of the given brackets, from left to right. Literals inside other literals are left out.
 * The time is linear in the length of the text.
 *
 * @param opening the brackets to look for, any of `[`, `(`, `{`
 */
export function findLiterals(text: string, opening: string, dialect: Dialect = "python"): readonly Found[] {
  const parser = new LiteralParser(text, dialect, opening);
  parser.collect();
  return parser.found;
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
