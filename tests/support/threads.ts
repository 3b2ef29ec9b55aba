import { vi } from "vitest";
import { Runtime } from "../../src/runtime/runtime.js";

/**
 * Makes every runtime share even the smallest kernel call among its threads, until `restore` runs. Otherwise only large calls are shared.
 */
export function threadEveryCall(): { restore: () => void } {
  const create = Runtime.create.bind(Runtime);
  const spy = vi.spyOn(Runtime, "create").mockImplementation((build, options) => create(build, { ...options, minThreadedWork: 0 }));
  return { restore: () => spy.mockRestore() };
}
