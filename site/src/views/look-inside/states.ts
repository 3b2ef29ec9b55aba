// The states of lightning heads, S_t = e^−λ S_{t−1} + k_t v_tᵀ, taken apart into the tokens that they consist of.

type Numbers = Float32Array | Float64Array;

/** The matrix k vᵀ that a token adds to the state of a head. */
export interface Contribution {
  readonly k: Float32Array;
  readonly v: Float32Array;
}

/** The state of a head after a token. */
export interface HeadState {
  /** The square root of the sum of all squared numbers of the state. */
  readonly norm: number;
  /** What the token added. */
  readonly added: Contribution;
}

export function norm(numbers: Numbers): number {
  return Math.sqrt(dot(numbers, numbers));
}

export function dot(a: Numbers, b: Numbers): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/**
 * Finds what a token added to the state: `S_t − e^−λ S_{t−1}`, a matrix of rank one.
 *
 * @param state `[dim, dim]`, after the token
 * @param before the state before the token. Undefined for the first token
 */
export function contribution(state: Float32Array, before: Float32Array | undefined, retention: number): Contribution {
  const dim = Math.sqrt(state.length);
  const added = before ? new Float32Array(state.length) : state;
  if (before) for (let i = 0; i < state.length; i++) added[i] = state[i]! - retention * before[i]!;
  const rows = Array.from({ length: dim }, (_, i) => added.subarray(i * dim, (i + 1) * dim));
  // All rows are multiples of v. The longest one has the smallest relative error.
  const squares = rows.map((row) => dot(row, row));
  const square = Math.max(...squares);
  const v = rows[squares.indexOf(square)]!.slice();
  return { k: Float32Array.from(rows, (row) => (square === 0 ? 0 : dot(row, v) / square)), v };
}

/**
 * Computes the share of one token in the state of a head after every token: with U = k vᵀ of the token, `⟨e^−λ(t−s) U_s, S_t⟩ / ‖S_t‖²`. The
 * shares of all tokens in a state add up to 1. A share is negative if the token points away from the rest of the state.
 *
 * @param head the states after each token
 * @param token s
 * @returns one share per token t; 0 before the token
 */
export function sharesOverTime(head: readonly HeadState[], retention: number, token: number): number[] {
  const { k, v } = head[token]!.added;
  let inner = 0;
  return head.map(({ norm, added }, t) => {
    inner = retention * inner + dot(k, added.k) * dot(v, added.v);
    return t < token || norm === 0 ? 0 : (retention ** (t - token) * inner) / norm ** 2;
  });
}

/** Adds the contributions of all tokens up to t: `S_t = Σ_s e^−λ(t−s) k_s v_sᵀ`, `[dim, dim]`. */
export function stateAfter(head: readonly HeadState[], retention: number, t: number): Float64Array {
  const dim = head[0]!.added.k.length;
  const state = new Float64Array(dim * dim);
  for (let s = 0; s <= t; s++) {
    const { k, v } = head[s]!.added;
    const left = retention ** (t - s);
    for (let i = 0; i < dim; i++) for (let j = 0; j < dim; j++) state[i * dim + j]! += left * k[i]! * v[j]!;
  }
  return state;
}

/** Computes the share of every token so far in the state of a head after token t. */
export function sharesInState(head: readonly HeadState[], retention: number, t: number): number[] {
  const state = stateAfter(head, retention, t);
  const dim = head[0]!.added.k.length;
  const square = state.reduce((sum, x) => sum + x * x, 0);
  return head.slice(0, t + 1).map(({ added: { k, v } }, s) => {
    let inner = 0;
    for (let i = 0; i < dim; i++) inner += k[i]! * dot(v, state.subarray(i * dim, (i + 1) * dim));
    return square === 0 ? 0 : (retention ** (t - s) * inner) / square;
  });
}
