export type TokenKind = "number" | "string" | "name" | "operator" | "end";

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** Offset in the source. */
  readonly at: number;
}

export class ExpressionError extends Error {
  readonly at: number;

  constructor(message: string, at: number) {
    super(`${message} at ${at}`);
    this.name = "ExpressionError";
    this.at = at;
  }
}

const OPERATORS = ["**", "==", "!=", "<=", ">=", "&&", "||", "+", "-", "*", "/", "%", "<", ">", "!", "?", ":", "(", ")", ",", "[", "]", "."];
const NUMBER = /\d+(?:\.\d+)?(?:e[+-]?\d+)?/iy;
const NAME = /[A-Za-z_]\w*/y;
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t" };

/** Splits an expression into tokens. The last one has the kind "end". */
export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < source.length) {
    if (/\s/.test(source[at]!)) {
      at++;
      continue;
    }
    const token = readString(source, at) ?? readMatch(source, at, NUMBER, "number") ?? readMatch(source, at, NAME, "name") ?? readOperator(source, at);
    if (!token) throw new ExpressionError(`unexpected ${source[at]}`, at);
    tokens.push(token.token);
    at = token.end;
  }
  tokens.push({ kind: "end", text: "", at });
  return tokens;
}

interface Read {
  readonly token: Token;
  readonly end: number;
}

function readMatch(source: string, at: number, pattern: RegExp, kind: TokenKind): Read | undefined {
  pattern.lastIndex = at;
  const text = pattern.exec(source)?.[0];
  return text === undefined ? undefined : { token: { kind, text, at }, end: at + text.length };
}

function readOperator(source: string, at: number): Read | undefined {
  const text = OPERATORS.find((operator) => source.startsWith(operator, at));
  return text === undefined ? undefined : { token: { kind: "operator", text, at }, end: at + text.length };
}

function readString(source: string, at: number): Read | undefined {
  const quote = source[at]!;
  if (quote !== '"' && quote !== "'") return undefined;
  let text = "";
  for (let i = at + 1; i < source.length; i++) {
    const char = source[i]!;
    if (char === quote) return { token: { kind: "string", text, at }, end: i + 1 };
    if (char === "\\") {
      const escaped = source[++i] ?? "";
      text += ESCAPES[escaped] ?? escaped;
    } else {
      text += char;
    }
  }
  throw new ExpressionError("a string is not closed", at);
}
