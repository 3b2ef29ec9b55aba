import { childrenOf, isFunction, isNode, nameOf, type Parse, type SyntaxNode } from "./syntax.js";

/** A named part of a file: a function, class, method, variable or type. */
export interface CodeElement {
  /** Name, for a member with that of its class or object: `Cache.get`. */
  readonly name: string;
  readonly kind: "function" | "class" | "method" | "variable" | "type";
  /** First and last line, from 1. */
  readonly start: number;
  readonly end: number;
}

/** Lists the elements at the top level of a file, and the members of its classes and objects. Empty if the file has a syntax error. */
export function elementsOf(path: string, text: string, parse: Parse): CodeElement[] {
  const program = parse(path, text);
  return program ? (program.body as SyntaxNode[]).flatMap(statementElements) : [];
}

/** The innermost element that contains a line. */
export function elementAt(elements: readonly CodeElement[], line: number): CodeElement | undefined {
  return elements.filter(({ start, end }) => start <= line && line <= end).sort((a, b) => a.end - a.start - (b.end - b.start))[0];
}

function statementElements(statement: SyntaxNode): CodeElement[] {
  const node = isNode(statement.declaration) ? statement.declaration : statement;
  const of = (name: string | undefined, kind: CodeElement["kind"]): CodeElement[] =>
    name === undefined ? [] : [{ name, kind, ...linesOf(statement) }];
  switch (node.type) {
    case "FunctionDeclaration":
      return of(nameOf(node.id) ?? "default", "function");
    case "ClassDeclaration": {
      const name = nameOf(node.id) ?? "default";
      return [...of(name, "class"), ...members(name, childrenOf(node.body as SyntaxNode))];
    }
    case "VariableDeclaration":
      return (node.declarations as SyntaxNode[]).flatMap(({ id, init }) => {
        const name = nameOf(id);
        const inner =
          name !== undefined && isNode(init) && init.type === "ObjectExpression" ? members(name, init.properties as SyntaxNode[]) : [];
        return [...of(name, isFunction(init) ? "function" : "variable"), ...inner];
      });
    case "TSInterfaceDeclaration":
    case "TSTypeAliasDeclaration":
    case "TSEnumDeclaration":
      return of(nameOf(node.id), "type");
    default:
      return [];
  }
}

function members(owner: string, nodes: readonly SyntaxNode[]): CodeElement[] {
  return nodes.flatMap((node) => {
    const name = nameOf(node.key);
    if (name === undefined) return [];
    const kind = isFunction(node) || isFunction((node as SyntaxNode).value) ? "method" : "variable";
    return [{ name: `${owner}.${name}`, kind, ...linesOf(node) } as const];
  });
}

function linesOf({ loc }: SyntaxNode): { start: number; end: number } {
  return { start: loc.start.line, end: loc.end.line };
}
