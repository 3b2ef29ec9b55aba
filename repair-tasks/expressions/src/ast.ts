export type Expression =
  | { readonly type: "literal"; readonly value: number | string | boolean | null }
  | { readonly type: "name"; readonly name: string; readonly at: number }
  | { readonly type: "unary"; readonly operator: string; readonly operand: Expression }
  | { readonly type: "binary"; readonly operator: string; readonly left: Expression; readonly right: Expression }
  | { readonly type: "conditional"; readonly test: Expression; readonly yes: Expression; readonly no: Expression }
  | { readonly type: "call"; readonly name: string; readonly args: readonly Expression[]; readonly at: number }
  | { readonly type: "member"; readonly object: Expression; readonly key: Expression }
  | { readonly type: "list"; readonly items: readonly Expression[] };
