import { vi } from "vitest";
import { Runtime } from "../../src/runtime/runtime.js";

/** Until `restore` runs, every runtime shares even the smallest kernel call among its threads, as only large ones are otherwise. */
export function threadEveryCall(): { restore: () => void } {
  const create = Runtime.create.bind(Runtime);
  const spy = vi.spyOn(Runtime, "create").mockImplementation((build, options) => create(build, { ...options, minThreadedWork: 0 }));
  return { restore: () => spy.mockRestore() };
}
