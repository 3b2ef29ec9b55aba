import { LightningError } from "../base/errors.js";

/** A scope: the addresses of its scratch tensors, and the callbacks that run when it ends. */
interface Scope {
  readonly pointers: number[];
  callbacks: (() => void)[] | undefined;
}

/** Nested scopes of scratch memory. A scratch tensor is freed at the end of the scope that was innermost when the tensor was allocated. */
export class Scopes {
  private readonly open: Scope[] = [];
  /** Scratch tensors that were taken out of their scopes, by address. */
  private readonly retained = new Set<number>();

  /** @param free frees the memory at an address */
  constructor(private readonly free: (ptr: number) => void) {}

  /** Adds an allocation to the innermost scope, if there is one. */
  add(ptr: number): void {
    this.open.at(-1)?.pointers.push(ptr);
  }

  /** Removes an allocation from its scope. @returns whether it was in one */
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

  /** Keeps a scratch allocation beyond its scope, until `unretain`. @returns whether it was a scratch allocation */
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

  /** Calls `callback` when the innermost scope ends. @throws {LightningError} no scope is open */
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

  /** Runs `body` in a new scope. Tensors in its result move to the enclosing scope. All others are freed. */
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

/** Returns the addresses of all tensors in a value. The value may be a tensor, or an array or plain object of tensors. */
function tensorPointers(value: unknown, found: number[] = []): number[] {
  if (typeof value !== "object" || value === null) return found;
  if ("ptr" in value && typeof value.ptr === "number") found.push(value.ptr);
  else if (Array.isArray(value)) for (const item of value) tensorPointers(item, found);
  else if (Object.getPrototypeOf(value) === Object.prototype) for (const item of Object.values(value)) tensorPointers(item, found);
  return found;
}
