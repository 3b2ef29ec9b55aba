import { InputError } from "../../base/errors.js";
import { expectArgument, isObjectLike } from "../../base/options.js";
import { printed } from "../../base/printed.js";
import { isList } from "../arguments.js";

/** An array or typed array of numbers. */
export type Numbers = ArrayLike<number>;

/**
 * The input of an objective: responses with their log-probabilities and advantages.
 *
 * Arrays per token are ragged: there is one array per response and one number per token, without padding. All of them have the same order.
 * A response may be empty.
 */
export interface PolicyBatch {
  /** log π_θ: log-probability of each token under the policy being trained, at the sampling temperature. */
  readonly logp: readonly Numbers[];
  /** log π_old: log-probability of each token under the policy that sampled the responses. */
  readonly logpOld: readonly Numbers[];
  /**
   * 1 for a token that the policy generated, 0 for any other token, such as those of prompts and tool output. Only tokens with 1 enter the
   * loss.
   */
  readonly mask: readonly Numbers[];
  /** One advantage per response, which applies to all of its tokens. */
  readonly advantages: Numbers;
  /** log π_ref: log-probability of each token under the reference policy. Required if `klCoef` is above 0. */
  readonly logpRef?: readonly Numbers[];
  /** A number per response that identifies its group. Required by `scope: "group"`. */
  readonly groups?: Numbers;
  /**
   * The minibatch that contains these responses. Means are taken over the whole minibatch, so that the losses and gradients of its parts
   * add up to those of the minibatch. `first` is the index of the first of these responses in the minibatch.
   */
  readonly minibatch?: Minibatch & { readonly first: number };
}

/** The data of a minibatch that its averages depend on: the mask and the group of all its responses. */
export interface Minibatch {
  readonly mask: readonly Numbers[];
  readonly groups?: Numbers;
}

/** Checks a batch. @throws {InputError} arrays of different shapes, or elements that are not numbers within ±1e9 (masks: 0 or 1) */
export function checkBatch(batch: PolicyBatch, where: string): void {
  expectArgument(where, typeof batch === "object" && batch !== null, "{ logp, logpOld, mask, advantages }", batch);
  const { logp, logpOld, mask, advantages, logpRef, groups, minibatch } = batch;
  checkRagged(logp, `${where}: logp`, FINITE);
  checkRagged(logpOld, `${where}: logpOld`, FINITE, logp);
  checkRagged(mask, `${where}: mask`, MASK_VALUE, logp);
  if (logpRef !== undefined) checkRagged(logpRef, `${where}: logpRef`, FINITE, logp);
  checkRow(advantages, `${where}: advantages`, FINITE, logp.length, "responses");
  if (groups !== undefined) checkRow(groups, `${where}: groups`, FINITE, logp.length, "responses");
  if (minibatch !== undefined) checkMinibatch(minibatch, logp, `${where}: minibatch`);
}

/** Checks the minibatch of a batch. @throws {InputError} invalid masks or groups, or a minibatch that does not contain these responses */
function checkMinibatch(minibatch: NonNullable<PolicyBatch["minibatch"]>, logp: readonly Numbers[], where: string): void {
  expectArgument(where, isObjectLike(minibatch), "{ mask, first }", minibatch);
  const { mask, groups, first } = minibatch;
  checkRagged(mask, `${where}.mask`, MASK_VALUE);
  if (groups !== undefined) checkRow(groups, `${where}.groups`, FINITE, mask.length, "responses");
  if (!(Number.isSafeInteger(first) && first >= 0 && logp.every((row, i) => row.length === mask[first + i]?.length))) {
    throw new InputError(
      `${where}.first: expected the index of these ${logp.length} responses among the ${mask.length} of the minibatch, got ${printed(first)}`,
    );
  }
}

/** A kind of element, with its description for messages. */
interface ValueKind {
  readonly expected: string;
  fits(x: number): boolean;
}

/** Maximum absolute value of an element, so that no product overflows. */
const MAX_MAGNITUDE = 1e9;

const FINITE: ValueKind = { expected: "a number within [-1e9, 1e9]", fits: (x) => Math.abs(x) <= MAX_MAGNITUDE };
const MASK_VALUE: ValueKind = { expected: "0 or 1", fits: (x) => x === 0 || x === 1 };

function checkRagged(rows: readonly Numbers[], where: string, kind: ValueKind, like?: readonly Numbers[]): void {
  expectArgument(where, Array.isArray(rows), "one array of numbers per response", rows);
  if (like && rows.length !== like.length) {
    throw new InputError(`${where}: expected ${like.length} responses as in logp, got ${rows.length}`);
  }
  for (const [i, row] of rows.entries()) checkRow(row, `${where}[${i}]`, kind, like?.[i]?.length, "tokens");
}

function checkRow(row: Numbers, where: string, { expected, fits }: ValueKind, length: number | undefined, of: string): void {
  expectArgument(where, isList(row), "an array of numbers", row);
  if (length !== undefined && row.length !== length)
    throw new InputError(`${where}: expected ${length} ${of} as in logp, got ${row.length}`);
  for (let t = 0; t < row.length; t++) {
    const x = row[t]!;
    if (typeof x !== "number" || !fits(x)) throw new InputError(`${where}[${t}]: expected ${expected}, got ${printed(x)}`);
  }
}
