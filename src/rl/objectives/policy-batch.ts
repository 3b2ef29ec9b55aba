import { InputError } from "../../base/errors.js";
import { printed } from "../../base/printed.js";

/** An array of numbers, typed or not. */
export type Numbers = ArrayLike<number>;

/**
 * Responses with what an objective has to know about them. The arrays of tokens are ragged: one array per response, one number per token, in the same
 * order everywhere. There is no padding; a response may be empty.
 */
export interface PolicyBatch {
  /** log π_θ of each token under the policy that is trained, at the temperature of the sampling. */
  readonly logp: readonly Numbers[];
  /** The same under the policy that sampled. */
  readonly logpOld: readonly Numbers[];
  /** 1 where a token counts, 0 where it does not: prompts, output of tools. */
  readonly mask: readonly Numbers[];
  /** One per response, for all of its tokens. */
  readonly advantages: Numbers;
  /** log π_ref of each token, for `klCoef`. */
  readonly logpRef?: readonly Numbers[];
  /** The group of each response, any number that names it: for `scope: "group"`. */
  readonly groups?: Numbers;
  /**
   * The minibatch that these responses are a part of, from its response `first` on. Means are then those of the minibatch, so that losses and gradients of its parts add
   * up to its own.
   */
  readonly minibatch?: Minibatch & { readonly first: number };
}

/** What averages depend on: of all responses, which tokens count, and which responses belong together. */
export interface Minibatch {
  readonly mask: readonly Numbers[];
  readonly groups?: Numbers;
}

/** @throws {InputError} arrays that do not fit each other, or hold what is no number */
export function checkBatch(batch: PolicyBatch, where: string): void {
  if (typeof batch !== "object" || batch === null) {
    throw new InputError(`${where}: expected { logp, logpOld, mask, advantages }, got ${batch === null ? "null" : typeof batch}`);
  }
  const { logp, logpOld, mask, advantages, logpRef, groups, minibatch } = batch;
  checkRagged(logp, `${where}: logp`, FINITE);
  checkRagged(logpOld, `${where}: logpOld`, FINITE, logp);
  checkRagged(mask, `${where}: mask`, MASK_VALUE, logp);
  if (logpRef !== undefined) checkRagged(logpRef, `${where}: logpRef`, FINITE, logp);
  checkRow(advantages, `${where}: advantages`, FINITE, logp.length, "responses");
  if (groups !== undefined) checkRow(groups, `${where}: groups`, FINITE, logp.length, "responses");
  if (minibatch !== undefined) checkMinibatch(minibatch, logp, `${where}: minibatch`);
}

/** @throws {InputError} masks or groups that do not fit, or a minibatch that these responses are no part of */
function checkMinibatch({ mask, groups, first }: NonNullable<PolicyBatch["minibatch"]>, logp: readonly Numbers[], where: string): void {
  checkRagged(mask, `${where}.mask`, MASK_VALUE);
  if (groups !== undefined) checkRow(groups, `${where}.groups`, FINITE, mask.length, "responses");
  if (!(Number.isSafeInteger(first) && first >= 0 && logp.every((row, i) => row.length === mask[first + i]?.length))) {
    throw new InputError(
      `${where}.first: expected where these ${logp.length} responses stand among its ${mask.length}, got ${printed(first)}`,
    );
  }
}

interface ValueKind {
  readonly expected: string;
  fits(x: number): boolean;
}

/** Nothing here is as large, and within it no product overflows. */
const MAX_MAGNITUDE = 1e9;

const FINITE: ValueKind = { expected: "a number within [-1e9, 1e9]", fits: (x) => Math.abs(x) <= MAX_MAGNITUDE };
const MASK_VALUE: ValueKind = { expected: "0 or 1", fits: (x) => x === 0 || x === 1 };

function checkRagged(rows: readonly Numbers[], where: string, kind: ValueKind, like?: readonly Numbers[]): void {
  if (!Array.isArray(rows)) throw new InputError(`${where}: expected an array with an array of numbers per response, got ${nameOf(rows)}`);
  if (like && rows.length !== like.length) {
    throw new InputError(`${where}: expected ${like.length} responses, as logp has, got ${rows.length}`);
  }
  for (const [i, row] of rows.entries()) checkRow(row, `${where}[${i}]`, kind, like?.[i]?.length, "tokens");
}

function checkRow(row: Numbers, where: string, { expected, fits }: ValueKind, length: number | undefined, of: string): void {
  if (!isArray(row)) throw new InputError(`${where}: expected an array of numbers, got ${nameOf(row)}`);
  if (length !== undefined && row.length !== length)
    throw new InputError(`${where}: expected ${length} ${of}, as logp has, got ${row.length}`);
  for (let t = 0; t < row.length; t++) {
    const x = row[t]!;
    if (typeof x !== "number" || !fits(x)) throw new InputError(`${where}[${t}]: expected ${expected}, got ${printed(x)}`);
  }
}

function isArray(x: unknown): x is Numbers {
  return Array.isArray(x) || (ArrayBuffer.isView(x) && !(x instanceof DataView));
}

function nameOf(x: unknown): string {
  return x === null ? "null" : typeof x === "object" ? "another object" : typeof x;
}
