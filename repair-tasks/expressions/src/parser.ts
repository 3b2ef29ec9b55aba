import type { Expression } from "./ast.ts";
import { ExpressionError, type Token, tokenize } from "./lexer.ts";

/** Precedence of binary operators. Higher binds tighter. */
const PRECEDENCE: Readonly<Record<string, number>> = {
  "||": 1,
  "&&": 2,
  "==": 3,
  "!=": 3,
  "<": 4,
  "<=": 4,
  ">": 4,
  ">=": 4,
  "+": 5,
  "-": 5,
  "*": 6,
  "/": 6,
  "%": 6,
  "**": 8,
};
/** A minus before a number binds tighter than a product, and looser than a power. */
const UNARY_PRECEDENCE = 7;
const CONSTANTS: Readonly<Record<string, boolean | null>> = { true: true, false: false, null: null };

/** Parses an expression. */
export function parse(source: string): Expression {
  const parser = new Parser(tokenize(source));
  const expression = parser.conditional();
  parser.expectEnd();
  return expression;
}

class Parser {
  private index = 0;
  private readonly tokens: readonly Token[];

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  conditional(): Expression {
    const test = this.binary(0);
    if (!this.accept("?")) return test;
    const yes = this.conditional();
    this.expect(":");
    return { type: "conditional", test, yes, no: this.conditional() };
  }

  expectEnd(): void {
    const { kind, text, at } = this.token;
    if (kind !== "end") throw new ExpressionError(`unexpected ${text}`, at);
  }

  private binary(minimum: number): Expression {
    let left = this.unary();
    for (;;) {
      const operator = this.token.kind === "operator" ? this.token.text : "";
      const precedence = PRECEDENCE[operator];
      if (precedence === undefined || precedence < minimum) return left;
      this.index++;
      // A power groups from the right, everything else from the left.
      const right = this.binary(operator === "**" ? precedence : precedence + 1);
      left = { type: "binary", operator, left, right };
    }
  }

  private unary(): Expression {
    for (const operator of ["-", "!"]) {
      if (this.accept(operator)) return { type: "unary", operator, operand: this.binary(UNARY_PRECEDENCE) };
    }
    return this.postfix();
  }

  private postfix(): Expression {
    let expression = this.primary();
    for (;;) {
      if (this.accept("[")) {
        const key = this.conditional();
        this.expect("]");
        expression = { type: "member", object: expression, key };
      } else if (this.accept(".")) {
        const { kind, text, at } = this.advance();
        if (kind !== "name") throw new ExpressionError("expected a name", at);
        expression = { type: "member", object: expression, key: { type: "literal", value: text } };
      } else {
        return expression;
      }
    }
  }

  private primary(): Expression {
    const { kind, text, at } = this.advance();
    if (kind === "number") return { type: "literal", value: Number(text) };
    if (kind === "string") return { type: "literal", value: text };
    if (kind === "name") {
      if (Object.hasOwn(CONSTANTS, text)) return { type: "literal", value: CONSTANTS[text]! };
      return this.accept("(") ? { type: "call", name: text, args: this.items(")"), at } : { type: "name", name: text, at };
    }
    if (text === "[") return { type: "list", items: this.items("]") };
    if (text !== "(") throw new ExpressionError(kind === "end" ? "unexpected end" : `unexpected ${text}`, at);
    const inner = this.conditional();
    this.expect(")");
    return inner;
  }

  private items(close: string): Expression[] {
    const items: Expression[] = [];
    if (this.accept(close)) return items;
    do items.push(this.conditional());
    while (this.accept(","));
    this.expect(close);
    return items;
  }

  private get token(): Token {
    return this.tokens[this.index]!;
  }

  private advance(): Token {
    const token = this.token;
    if (token.kind !== "end") this.index++;
    return token;
  }

  private accept(operator: string): boolean {
    if (this.token.kind !== "operator" || this.token.text !== operator) return false;
    this.index++;
    return true;
  }

  private expect(operator: string): void {
    if (!this.accept(operator)) throw new ExpressionError(`expected ${operator}`, this.token.at);
  }
}
