import { LightningError } from "../base/errors.js";

/** A scope: the addresses of its scratch tensors, and the callbacks that run when it ends. */
interface Scope {
  readonly pointers: number[];
  callbacks: (() => void)[] | undefined;
}

/** Nested scopes of scratch memory. A scratch tensor is freed when the innermost scope at its allocation ends. */
export class Scopes {
  private readonly open: Scope[] = [];
  /** Scratch tensors that were taken out of their scopes, by address. */
  private readonly retained = new Set<number>();

  /** @param free gives the memory at an address back */
  constructor(private readonly free: (ptr: number) => void) {}

  /** Adds an allocation to the innermost scope, if there is one. */
  add(ptr: number): void {
    this.open.at(-1)?.pointers.push(ptr);
  }

  /** Takes an allocation out of its scope. @returns whether it was in one */
  remove(ptr: number): boolean {
    for (let i = this.open.length - 1; i >= 0; i--) {
      const { pointers } = this.open[i]!;
      const index = pointers.lastIndexOf(ptr);
      if (index < 0) continue;
      pointers.splice(index, 1);
      return true;
    }
    return false;
  }

  /** Keeps a scratch allocation beyond its scope, until `unretain`. @returns whether it was scratch */
  retain(ptr: number): boolean {
    if (!this.remove(ptr)) return false;
    this.retained.add(ptr);
    return true;
  }

  unretain(ptr: number): void {
    this.retained.delete(ptr);
  }

  isRetained(ptr: number): boolean {
    return this.retained.has(ptr);
  }

  /** Calls back when the innermost scope ends. @throws {LightningError} no scope is open */
  onEnd(callback: () => void): void {
    const scope = this.open.at(-1);
    if (!scope) {
      throw new LightningError(
        "weights: expected a call inside rt.scope, got a call outside. Wrap it in rt.scope(() => …): a streamed weight stays in memory until the scope ends.",
      );
    }
    scope.callbacks ??= [];
    scope.callbacks.push(callback);
  }

  /** Runs `body` in a scope of its own. Tensors in its result move to the enclosing scope; all others are freed. */
  run<T>(body: () => T): T {
    const scope: Scope = { pointers: [], callbacks: undefined };
    this.open.push(scope);
    let result: T | undefined;
    try {
      result = body();
      return result;
    } finally {
      this.open.pop();
      const outer = this.open.at(-1);
      const returned = tensorPointers(result);
      for (const ptr of scope.pointers) {
        if (returned.includes(ptr)) outer?.pointers.push(ptr);
        else this.free(ptr);
      }
      if (scope.callbacks) for (const callback of scope.callbacks) callback();
    }
  }
}

/** Addresses of all tensors in a value: the value itself, or the items of arrays and plain objects. */
function tensorPointers(value: unknown, found: number[] = []): number[] {
  if (typeof value !== "object" || value === null) return found;
  if ("ptr" in value && typeof value.ptr === "number") found.push(value.ptr);
  else if (Array.isArray(value)) for (const item of value) tensorPointers(item, found);
  else if (Object.getPrototypeOf(value) === Object.prototype) for (const item of Object.values(value)) tensorPointers(item, found);
  return found;
}
