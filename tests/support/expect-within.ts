import { expect } from "vitest";
import type { Numbers } from "../reference/linear.js";

/**
 * Expects every number to differ by at most `allowed` from the expected one. A failure names the element with the largest difference,
 * the expected number and the actual one. NaN differs from every number, NaN included.
 *
 * @param where prefix of the message, such as `"input 0"`
 * @param indexOf the element's index in the message, if only a part of the elements is compared
 */
export function expectWithin(actual: Numbers, expected: Numbers, allowed: number, where = "", indexOf = (i: number) => i): void {
  expect(actual.length, `${where}: number of elements`).toBe(expected.length);
  let [worst, largest] = [0, -1];
  for (let i = 0; i < expected.length; i++) {
    const difference = actual[i] === expected[i] ? 0 : Math.abs(actual[i]! - expected[i]!);
    if (difference <= largest) continue;
    [worst, largest] = [i, difference];
    if (Number.isNaN(difference)) break;
  }
  const place = `${where}${where && ", "}element ${indexOf(worst)}`;
  expect(Math.max(0, largest), `${place}: expected ${expected[worst]}, got ${actual[worst]}`).toBeLessThanOrEqual(allowed);
}
