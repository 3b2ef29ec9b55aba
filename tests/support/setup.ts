// Runs before every test file.

import { expect } from "vitest";

type Numbers = Uint8Array | Float32Array | number[];

/** Minimum length of arrays that are compared here. Shorter arrays are left to `toEqual`. */
const LONG = 100;

/**
 * Compares long arrays of numbers element by element, with the rules of `toEqual` (NaN equals NaN, 0 does not equal −0). `toEqual` itself
 * converts every index to a string, which took a third of the time of the kernels' tests.
 *
 * Returns undefined for arrays that differ, so that the usual message follows.
 */
function sameElements(a: unknown, b: unknown): true | undefined {
  if (!isLongArray(a) || !isLongArray(b) || a.constructor !== b.constructor || a.length !== b.length) return undefined;
  for (let i = 0; i < a.length; i++) if (typeof a[i] !== "number" || !Object.is(a[i], b[i])) return undefined;
  return true;
}

function isLongArray(x: unknown): x is Numbers {
  const isArray = Array.isArray(x) || (ArrayBuffer.isView(x) && !(x instanceof DataView));
  return isArray && (x as Numbers).length >= LONG;
}

expect.addEqualityTesters([sameElements]);
