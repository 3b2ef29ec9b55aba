// Small changes of a program that are typical mistakes. Each operator proposes replacements of a part of the text.

import { childrenOf, isFunction, isNode, type SyntaxNode } from "./syntax.js";

/** The kinds of mistakes. */
export const BUG_OPERATORS = [
  "comparison",
  "off_by_one",
  "arithmetic",
  "logical",
  "negated_condition",
  "constant",
  "missing_statement",
  "missing_return",
  "missing_early_return",
  "missing_else",
  "missing_await",
  "missing_optional_chaining",
  "swapped_arguments",
  "wrong_variable",
  "wrong_method",
] as const;

/** Name of a kind of mistake. */
export type BugOperator = (typeof BUG_OPERATORS)[number];

/** A mistake at one place. */
export interface BugSite {
  readonly operator: BugOperator;
  readonly path: string;
  /** Offsets of the replaced text. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

type Replacement = readonly [start: number, end: number, text: string];
type Operator = (node: SyntaxNode, source: string, parents: readonly SyntaxNode[]) => Replacement[];

const COMPARISONS: Readonly<Record<string, readonly string[]>> = {
  "<": ["<=", ">"],
  "<=": ["<", ">="],
  ">": [">=", "<"],
  ">=": [">", "<="],
  "==": ["!="],
  "!=": ["=="],
  "===": ["!=="],
  "!==": ["==="],
};
const ARITHMETIC: Readonly<Record<string, string>> = {
  "+": "-",
  "-": "+",
  "*": "/",
  "/": "*",
  "%": "*",
  "**": "*",
  ">>": ">>>",
  "<<": ">>",
};
const ASSIGNMENTS: Readonly<Record<string, string>> = { "+=": "-=", "-=": "+=", "*=": "/=", "/=": "*=", "&&=": "||=", "??=": "=" };
const LOGICAL: Readonly<Record<string, string>> = { "&&": "||", "||": "&&", "??": "&&" };
const METHODS: Readonly<Record<string, string>> = {
  ceil: "floor",
  endsWith: "startsWith",
  every: "some",
  floor: "ceil",
  indexOf: "lastIndexOf",
  lastIndexOf: "indexOf",
  max: "min",
  min: "max",
  pop: "shift",
  push: "unshift",
  replaceAll: "replace",
  round: "floor",
  shift: "pop",
  some: "every",
  startsWith: "endsWith",
  toLowerCase: "toUpperCase",
  toUpperCase: "toLowerCase",
  trimEnd: "trimStart",
  trimStart: "trimEnd",
  unshift: "push",
};

/** Replaces the operator between two operands. */
function betweenOperands(node: SyntaxNode, source: string, replacements: readonly string[]): Replacement[] {
  const [left, right] = [node.left as SyntaxNode, node.right as SyntaxNode];
  const start = source.slice(left.end, right.start).indexOf(node.operator as string) + left.end;
  return replacements.map((text) => [start, start + (node.operator as string).length, text]);
}

const sliceOf = (source: string, { start, end }: SyntaxNode) => source.slice(start, end);
const remove = ({ start, end }: SyntaxNode): Replacement => [start, end, ""];
const isStatementOf = (parent: SyntaxNode | undefined) =>
  parent !== undefined && /^(?:Program|BlockStatement|SwitchCase)$/.test(parent.type);

/** Whether a statement leaves its function or loop. */
function leaves(node: SyntaxNode): boolean {
  if (/^(?:Return|Throw|Continue|Break)Statement$/.test(node.type)) return true;
  const body = node.type === "BlockStatement" ? (node.body as SyntaxNode[]) : [];
  return body.length > 0 && leaves(body.at(-1)!);
}

const OPERATORS: Readonly<Record<BugOperator, Operator>> = {
  comparison(node, source) {
    const others = node.type === "BinaryExpression" ? COMPARISONS[node.operator as string] : undefined;
    return others ? betweenOperands(node, source, others) : [];
  },
  off_by_one({ type, start, end, value }) {
    if (type !== "NumericLiteral" || !Number.isSafeInteger(value)) return [];
    return [(value as number) + 1, (value as number) - 1].map((changed) => [start, end, changed < 0 ? `(${changed})` : `${changed}`]);
  },
  arithmetic(node, source) {
    const operator = node.operator as string;
    if (node.type === "BinaryExpression" && ARITHMETIC[operator]) return betweenOperands(node, source, [ARITHMETIC[operator]]);
    if (node.type === "AssignmentExpression" && ASSIGNMENTS[operator]) return betweenOperands(node, source, [ASSIGNMENTS[operator]]);
    if (node.type !== "UpdateExpression") return [];
    return [[node.start, node.end, sliceOf(source, node).replace(operator, operator === "++" ? "--" : "++")]];
  },
  logical(node, source) {
    if (node.type !== "LogicalExpression") return [];
    // A mixture of ?? with others needs parentheses.
    const whole: Replacement[] = [node.left, node.right].map((side) => [node.start, node.end, sliceOf(source, side as SyntaxNode)]);
    return node.operator === "??" ? whole : [...betweenOperands(node, source, [LOGICAL[node.operator as string]!]), ...whole];
  },
  negated_condition(node, source) {
    if (!/^(?:IfStatement|ConditionalExpression)$/.test(node.type)) return [];
    const test = node.test as SyntaxNode;
    const isNegated = test.type === "UnaryExpression" && test.operator === "!";
    return [[test.start, test.end, isNegated ? sliceOf(source, test.argument as SyntaxNode) : `!(${sliceOf(source, test)})`]];
  },
  constant({ type, start, end, value }, _source, parents) {
    if (type === "BooleanLiteral") return [[start, end, `${!value}`]];
    const parent = parents.at(-1);
    const isName = !parent || /^(?:Import|Export|Directive)/.test(parent.type) || (isNode(parent.key) && parent.key.start === start);
    return type === "StringLiteral" && !isName && value !== "" ? [[start, end, '""']] : [];
  },
  missing_statement(node, _source, parents) {
    const fits = /^(?:Expression|Continue|Break)Statement$/.test(node.type) && isStatementOf(parents.at(-1));
    return fits ? [remove(node)] : [];
  },
  missing_return(node, source) {
    if (node.type !== "ReturnStatement" || !isNode(node.argument)) return [];
    const text = sliceOf(source, node.argument);
    return /^(?:\{|function|class)/.test(text) ? [] : [[node.start, node.end, `${text};`]];
  },
  missing_early_return(node, _source, parents) {
    const fits = node.type === "IfStatement" && !node.alternate && leaves(node.consequent as SyntaxNode) && isStatementOf(parents.at(-1));
    return fits ? [remove(node)] : [];
  },
  missing_else(node) {
    if (node.type !== "IfStatement" || !isNode(node.alternate)) return [];
    return [[(node.consequent as SyntaxNode).end, node.alternate.end, ""]];
  },
  missing_await(node, source) {
    return node.type === "AwaitExpression" ? [[node.start, node.end, sliceOf(source, node.argument as SyntaxNode)]] : [];
  },
  missing_optional_chaining(node, source) {
    if (node.type !== "OptionalMemberExpression" || !node.optional) return [];
    const after = (node.object as SyntaxNode).end;
    const at = source.indexOf("?.", after);
    return [[at, at + 2, node.computed ? "" : "."]];
  },
  swapped_arguments(node, source) {
    const given = /^(?:Call|New)Expression$/.test(node.type) ? (node.arguments as SyntaxNode[]) : [];
    return given.slice(1).flatMap((second, i): Replacement[] => {
      const first = given[i]!;
      const [a, b] = [sliceOf(source, first), sliceOf(source, second)];
      if (a === b || first.type === "SpreadElement" || second.type === "SpreadElement") return [];
      return [[first.start, second.end, b + source.slice(first.end, second.start) + a]];
    });
  },
  wrong_variable(node, _source, parents) {
    if (node.type !== "Identifier" || !isReference(node, parents.at(-1)!)) return [];
    const scope = parents.findLast(isFunction);
    if (!scope) return [];
    const names = localNames(scope).filter(({ from }) => from <= node.start);
    if (!names.some(({ name }) => name === node.name)) return [];
    return [...new Set(names.map(({ name }) => name))].filter((name) => name !== node.name).map((name) => [node.start, node.end, name]);
  },
  wrong_method(node) {
    if (!/^(?:Optional)?MemberExpression$/.test(node.type) || node.computed) return [];
    const { start, end, name } = node.property as SyntaxNode;
    const other = typeof name === "string" && Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
    return other ? [[start, end, other]] : [];
  },
};

/** Whether an identifier stands for the value of a variable, rather than for a name or a declaration. */
function isReference(node: SyntaxNode, parent: SyntaxNode): boolean {
  const is = (field: string) => isNode(parent[field]) && (parent[field] as SyntaxNode).start === node.start;
  switch (parent.type) {
    case "MemberExpression":
    case "OptionalMemberExpression":
      return is("object") || parent.computed === true;
    case "ObjectProperty":
      return is("value") && parent.shorthand !== true;
    case "AssignmentExpression":
    case "AssignmentPattern":
      return is("right");
    case "VariableDeclarator":
      return is("init");
    case "ArrowFunctionExpression":
      return is("body");
    case "BinaryExpression":
    case "LogicalExpression":
    case "UnaryExpression":
    case "ConditionalExpression":
    case "CallExpression":
    case "OptionalCallExpression":
    case "NewExpression":
    case "ReturnStatement":
    case "IfStatement":
    case "WhileStatement":
    case "SpreadElement":
    case "TemplateLiteral":
    case "ArrayExpression":
    case "AwaitExpression":
    case "YieldExpression":
    case "ForOfStatement":
      return !is("left") || parent.type !== "ForOfStatement";
    default:
      return false;
  }
}

/** Parameters and variables of a function and the offset from which they have a value, without those of functions inside it. */
function localNames(scope: SyntaxNode): { name: string; from: number }[] {
  const names: { name: string; from: number }[] = [];
  const pattern = (node: SyntaxNode, from: number): void => {
    if (node.type === "Identifier") names.push({ name: node.name as string, from });
    else if (node.type === "ObjectProperty") pattern(node.value as SyntaxNode, from);
    else if (node.type === "AssignmentPattern") pattern(node.left as SyntaxNode, from);
    else if (/^(?:Object|Array)Pattern$|^RestElement$/.test(node.type)) for (const child of childrenOf(node)) pattern(child, from);
  };
  const walk = (node: SyntaxNode): void => {
    if (node.type === "VariableDeclarator") pattern(node.id as SyntaxNode, node.end);
    for (const child of childrenOf(node)) if (!isFunction(child)) walk(child);
  };
  for (const parameter of scope.params as SyntaxNode[]) pattern(parameter, parameter.end);
  walk(scope.body as SyntaxNode);
  return names;
}

/** Lists all places of a file where an operator applies, in the order of the text. Types are left alone. */
export function bugSites(path: string, source: string, program: SyntaxNode, operators: readonly BugOperator[]): BugSite[] {
  const sites: BugSite[] = [];
  const visit = (node: SyntaxNode, parents: readonly SyntaxNode[]): void => {
    if (/^TS(?!NonNull|As|Satisfies|Parameter)|^ImportDeclaration$/.test(node.type)) return;
    for (const operator of operators) {
      for (const [start, end, text] of OPERATORS[operator](node, source, parents)) sites.push({ operator, path, start, end, text });
    }
    const inner = [...parents, node];
    for (const child of childrenOf(node)) visit(child, inner);
  };
  visit(program, []);
  return sites;
}
