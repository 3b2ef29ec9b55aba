// Before every file of tests.

import { expect } from "vitest";

type TypedArray = Uint8Array | Float32Array;

/**
 * Compares typed arrays element by element, as `toEqual` does (NaN equals NaN, 0 does not equal −0): its own way makes a string of every
 * index, which took a third of the time of the kernels' tests. Says nothing of arrays that differ, so that the usual message follows.
 */
function sameElements(a: unknown, b: unknown): true | undefined {
  if (!ArrayBuffer.isView(a) || !ArrayBuffer.isView(b) || a instanceof DataView || a.constructor !== b.constructor) return undefined;
  const [x, y] = [a as TypedArray, b as TypedArray];
  if (x.length !== y.length) return undefined;
  for (let i = 0; i < x.length; i++) if (!Object.is(x[i], y[i])) return undefined;
  return true;
}

expect.addEqualityTesters([sameElements]);
