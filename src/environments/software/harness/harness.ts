// The test harness, which runs inside of the sandbox. It is bundled into a script of its own, and runs before any module of the project.

import { createAssert } from "./assert.js";
import { createConsole, createTimers } from "./globals.js";
import { freezeIntrinsics } from "./intrinsics.js";
import { createRegistry, type Host } from "./registry.js";

/** The harness as the engine that runs it sees it. */
export interface Harness {
  /** Exports of the built-in modules, by name. The default export is `default`. */
  readonly modules: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** The names of these exports, as JSON. */
  readonly exportNames: string;
  run(): Promise<void>;
  failCurrent(error: unknown): void;
  /** Fires the next timer of an engine without a clock. Returns false if there is none. */
  fireTimer(): boolean;
}

/**
 * Freezes the built-in objects and creates a harness.
 *
 * @param bare the engine has neither a console nor timers, so that the harness adds them
 */
export function createHarness(host: Host, bare: boolean): Harness {
  const registry = createRegistry(host);
  const timers = createTimers();
  if (bare) {
    for (const [name, value] of Object.entries({ ...timers.functions, console: createConsole(host.print) })) {
      Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
    }
  }
  const strict = createAssert(true);
  const legacy = createAssert(false);
  Object.assign(strict, { strict });
  Object.assign(legacy, { strict });
  for (const assert of [strict, legacy]) Object.freeze(assert);
  freezeIntrinsics();
  const modules = {
    "node:test": { default: registry.functions.test, ...registry.functions },
    "node:assert/strict": { default: strict, ...strict },
    "node:assert": { default: legacy, ...legacy },
  };
  return {
    modules,
    exportNames: JSON.stringify(Object.fromEntries(Object.entries(modules).map(([name, exports]) => [name, Object.keys(exports)]))),
    run: () => registry.run(),
    failCurrent: registry.failCurrent,
    fireTimer: () => timers.fire(registry.failCurrent),
  };
}
