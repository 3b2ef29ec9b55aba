// Syntax trees of JavaScript and TypeScript, by the optional package @babel/parser.

import { InputError } from "../../base/errors.js";

/** A node of a syntax tree. */
export interface SyntaxNode {
  readonly type: string;
  /** Offsets in the text. */
  readonly start: number;
  readonly end: number;
  readonly loc: { readonly start: { readonly line: number }; readonly end: { readonly line: number } };
  readonly [field: string]: unknown;
}

/** Parses a file. Undefined if it has a syntax error. */
export type Parse = (path: string, text: string) => SyntaxNode | undefined;

/**
 * Loads the parser.
 *
 * @param where name of the called function, for the message
 * @throws {InputError} if @babel/parser is not installed
 */
export async function loadParser(where: string): Promise<Parse> {
  const { parse } = await loadBabel(where);
  return (path, text) => {
    try {
      const { program } = parse(text, {
        sourceType: "module",
        plugins: [...(/\.[cm]?tsx?$/.test(path) ? (["typescript"] as const) : []), ...(/x$/.test(path) ? (["jsx"] as const) : [])],
      });
      return program as unknown as SyntaxNode;
    } catch (error) {
      if (error instanceof SyntaxError) return undefined;
      throw error;
    }
  };
}

async function loadBabel(where: string): Promise<typeof import("@babel/parser")> {
  // Bundlers accept missing packages in a try block.
  try {
    return await import("@babel/parser");
  } catch (cause) {
    throw new InputError(`${where}: expected the optional package @babel/parser, got none (npm i @babel/parser)`, { cause });
  }
}

export function isNode(value: unknown): value is SyntaxNode {
  return typeof value === "object" && value !== null && "type" in value && "start" in value && typeof value.type === "string";
}

/** The nodes directly inside a node, in the order of the text. */
export function childrenOf(node: SyntaxNode): SyntaxNode[] {
  const children: SyntaxNode[] = [];
  for (const [field, value] of Object.entries(node)) {
    if (field === "loc" || field.endsWith("Comments") || field === "extra") continue;
    for (const one of Array.isArray(value) ? value : [value]) if (isNode(one)) children.push(one);
  }
  return children.sort((a, b) => a.start - b.start);
}

/** The name of an identifier, private name or string key. Undefined for other nodes. */
export function nameOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  if (node.type === "Identifier") return node.name as string;
  if (node.type === "StringLiteral") return node.value as string;
  if (node.type === "PrivateName") return `#${nameOf(node.id)}`;
  return undefined;
}

export function isFunction(node: unknown): node is SyntaxNode {
  return (
    isNode(node) &&
    /^(?:FunctionDeclaration|FunctionExpression|ArrowFunctionExpression|(?:Class(?:Private)?|Object)Method)$/.test(node.type)
  );
}

/** Whether a file contains code that can be parsed. */
export function isCode(path: string): boolean {
  return /\.[cm]?[jt]sx?$/.test(path) && !/\.d\.[cm]?ts$/.test(path);
}
