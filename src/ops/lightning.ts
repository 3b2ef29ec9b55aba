import { InputError, ShapeError } from "../base/errors.js";
import { printed } from "../base/printed.js";
import type { Runtime } from "../runtime/runtime.js";
import { expectShape, expectTensor, runtimeOf, slice, type Tensor } from "../runtime/tensor.js";
import { expectSegments, type Segment } from "./segment.js";

/** Number of columns per panel of a state. */
const STATE_PANEL_COLUMNS = 8;

/**
 * Number of rows per chunk. Larger chunks waste work above their diagonal; smaller chunks load and store the state more often. The value
 * was measured for head dims 16 to 128.
 */
const DEFAULT_CHUNK_ROWS = 16;

/**
 * Creates the initial state of a sequence, S = 0 for every head, in panels `[heads, ⌈headDim/8⌉, 8⌈headDim/8⌉, 8]`. It is not freed by
 * scopes, so the caller must release it.
 */
export function lightningState(rt: Runtime, heads: number, headDim: number): Tensor {
  const state = rt.keep(stateShape(heads, headDim));
  rt.fill(state, 0);
  return state;
}

/** Copies a state as `[heads, headDim, headDim]`. Row i of a head's S belongs to dim i of its keys. */
export function readLightningState(state: Tensor, headDim: number): Float32Array<ArrayBuffer> {
  expectTensor("readLightningState: state", state);
  const [heads = 0, panels = 0, padded = 0] = state.shape;
  expectShape("readLightningState: state", state, stateShape(heads, headDim));
  const from = state.rt.f32(state);
  const rows = new Float32Array(heads * headDim ** 2);
  for (let row = 0; row < heads * headDim; row++) {
    const [head, i] = [Math.floor(row / headDim), row % headDim];
    for (let j = 0; j < headDim; j++) {
      const panel = head * panels + Math.floor(j / STATE_PANEL_COLUMNS);
      rows[row * headDim + j] = from[(panel * padded + i) * STATE_PANEL_COLUMNS + (j % STATE_PANEL_COLUMNS)]!;
    }
  }
  return rows;
}

export function stateShape(heads: number, headDim: number): number[] {
  const panels = Math.ceil(headDim / STATE_PANEL_COLUMNS);
  return [heads, panels, panels * STATE_PANEL_COLUMNS, STATE_PANEL_COLUMNS];
}

/**
 * Computes lightning attention, `S_t = e^−λ S_{t−1} + k_t v_tᵀ, o_t = q_tᵀ S_t` per head. Each segment has its own state. A segment of one
 * token runs the recurrence; longer segments run in chunks. Splitting a sequence into several calls changes results only by rounding.
 *
 * @param qkv `[tokens, heads, 3 · headDim]`, with q, k and v of each head side by side
 * @param slopes λ `[heads]`, each from 0 (no decay) to Infinity (each token attends only to itself)
 * @param states one per segment, from `lightningState`; updated in place
 * @returns o `[tokens, heads · headDim]`
 * @throws {ShapeError} shapes or dtypes that do not fit
 * @throws {InputError} a slope that is negative or NaN
 */
export function lightning(
  qkv: Tensor,
  slopes: Tensor,
  segments: readonly Segment[],
  states: readonly Tensor[],
  chunk = DEFAULT_CHUNK_ROWS,
): Tensor {
  expectTensor("lightning: qkv", qkv);
  const [tokens = 0, heads = 0, triple = 0] = qkv.shape;
  const dim = triple / 3;
  expectShape("lightning: qkv", qkv, [tokens, heads, 3 * Math.floor(dim)], { hint: "qkv is [tokens, heads, 3 · headDim]" });
  expectShape("lightning: slopes", slopes, [heads]);
  expectSegments("lightning", segments, tokens, states.length);
  if (!(Number.isInteger(chunk) && chunk >= 1))
    throw new ShapeError(`lightning: chunk: expected an integer of at least 1, got ${printed(chunk)}`);
  const rt = runtimeOf("lightning", qkv, slopes, ...states);
  const growing = rt.f32(slopes).find((slope) => !(slope >= 0));
  if (growing !== undefined) {
    throw new InputError(
      `lightning: slopes: expected numbers within [0, Infinity], got ${printed(growing)}. A slope is the λ of e^−λ, without the sign.`,
    );
  }
  const o = rt.empty([tokens, heads * dim]);
  const before: Tensor[] = [];
  // Segments of one token share one kernel call, because their steps are short and there are many of them.
  const steps: number[] = [];
  for (const [i, { begin, end }] of segments.entries()) {
    const state = states[i]!;
    expectShape("lightning: state", state, stateShape(heads, dim), { hint: "lightningState makes one" });
    const [length, width] = [end - begin, heads * dim];
    const rows = Math.min(chunk, length);
    const args = [o.ptr + 4 * begin * width, state.ptr, qkv.ptr + 12 * begin * width, slopes.ptr] as const;
    const work = 4 * width * (length * dim + (length === 1 ? 0 : causalPairs(length, rows)));
    if (rt.tape) before.push(copyTensor(state));
    if (length === 1) steps.push(args[0], args[1], args[2]);
    else {
      const workspace = rt.workspace(rt.kernels.lightningWorkspaceBytes(rows, dim));
      rt.runIn("lightning", [...args, length, heads, dim, rows, workspace, 0, heads], work);
    }
  }
  const alone = steps.length / 3;
  const work = 4 * heads * dim ** 2 * alone;
  if (alone === 1) rt.run("lightningStep", [steps[0]!, steps[1]!, steps[2]!, slopes.ptr, heads, dim, 0, heads], work);
  else if (alone > 1) {
    const list = rt.from(steps, [steps.length], "i32");
    rt.run("lightningSteps", [list.ptr, slopes.ptr, heads, dim, 0, alone * heads], work);
    rt.release(list);
  }
  const { tape } = rt;
  tape?.recordBackward([qkv, slopes, ...before], () => {
    if (![o, ...states].some((x) => tape.hasGradient(x))) return;
    const dO = tape.gradient(o);
    for (const [i, { begin, end }] of segments.entries()) {
      const d = { qkv: slice(tape.gradient(qkv), begin, end), state: tape.gradient(states[i]!), o: slice(dO, begin, end) };
      lightningBackward(d, before[i]!, slice(qkv, begin, end), slopes, chunk);
    }
    rt.release(tape.takeGradient(o)!);
  });
  return o;
}

/** Counts the causal query-key pairs (key position ≤ query position) within chunks of `rows` rows. */
function causalPairs(length: number, rows: number): number {
  const rest = length % rows;
  return ((length - rest) * (rows + 1) + rest * (rest + 1)) / 2;
}

/** Number of steps per piece of the backward pass. The workspace holds one piece. */
const BACKWARD_PIECE_STEPS = 512;

/**
 * Computes the backward pass of a segment. Adds to the gradient of qkv. Replaces the gradient of the state after the segment by the
 * gradient of the state before it.
 */
function lightningBackward(d: { qkv: Tensor; state: Tensor; o: Tensor }, before: Tensor, qkv: Tensor, slopes: Tensor, chunk: number): void {
  const { rt } = qkv;
  const [steps, heads, triple] = qkv.shape as [number, number, number];
  const dim = triple / 3;
  const [piece, rows] = [Math.min(BACKWARD_PIECE_STEPS, steps), Math.min(chunk, steps)];
  const workspace = rt.workspace(rt.kernels.lightningBackwardWorkspaceBytes(piece, rows, dim));
  const args = [d.qkv.ptr, d.state.ptr, d.o.ptr, before.ptr, qkv.ptr, slopes.ptr, steps, heads, dim, piece, rows] as const;
  rt.runIn("lightningBackward", [...args, workspace, 0, heads], 6 * steps * heads * dim * (2 * dim + rows));
}

/** Copies a tensor. The copy is freed when the enclosing scope ends. @internal */
export function copyTensor(x: Tensor): Tensor {
  const copy = x.rt.empty(x.shape);
  x.rt.f32(copy).set(x.rt.f32(x));
  return copy;
}
