/**
 * Base class of all errors of this library. A message says where the error is, what is wrong (expected, got) and what to do.
 * Catch {@link LightningError} for all errors, or a subclass for one cause. A cancelled call throws the signal's reason instead
 * (by default a `DOMException` named `AbortError`).
 */
export class LightningError extends Error {
  override name = "LightningError";
}

/** A configuration that is invalid, contradicts itself, or describes another architecture. */
export class ConfigError extends LightningError {
  override name = "ConfigError";
}

/** A source that cannot be opened, or a file in it that is damaged. */
export class CheckpointError extends LightningError {
  override name = "CheckpointError";
}

/** A weight that is missing, unexpected, of the wrong shape or dtype, or contains NaN. */
export class WeightError extends LightningError {
  override name = "WeightError";
}

/** Tensors whose shapes do not fit an operation. */
export class ShapeError extends LightningError {
  override name = "ShapeError";
}

/** A request for more memory than the machine, wasm32 or a budget allows, or for more storage than a cache of downloads has. */
export class MemoryError extends LightningError {
  override name = "MemoryError";
}

/** Invalid token ids, messages, options or other arguments. */
export class InputError extends LightningError {
  override name = "InputError";
}

/** A call that the current state of a session or cache does not allow, such as a rewind, or a session file of another model. */
export class SessionError extends LightningError {
  override name = "SessionError";
}

/** A sandbox that cannot run here, or that failed. Says nothing about the code that should have run in it. */
export class SandboxError extends LightningError {
  override name = "SandboxError";
}

/** A server that cannot be reached or refuses a request, or a response that is incomplete or invalid. */
export class RemoteError extends LightningError {
  override name = "RemoteError";
  /** HTTP status, if the server answered with an error. */
  readonly status: number | undefined;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /** Time that the server asks to wait before a retry. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: ErrorOptions & { status?: number; retryable?: boolean; retryAfterMs?: number } = {}) {
    super(message, options);
    this.status = options.status;
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** Formats a number of bytes with a binary unit, such as `12.3 GiB`. @throws {InputError} not a number */
export function formatBytes(bytes: number): string {
  if (typeof bytes !== "number") throw new InputError(`formatBytes: bytes: expected a number, got ${typeof bytes}`);
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
  let unit = 0;
  for (; bytes >= 1024 && unit < units.length - 1; unit++) bytes /= 1024;
  return `${unit === 0 ? bytes : bytes.toFixed(2).replace(/\.?0+$/, "")} ${units[unit]}`;
}
