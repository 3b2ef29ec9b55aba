/**
 * Every error of this library reads: where, what, expected, got, remedy.
 * Catch {@link LightningError} for all of them, or one class for one cause. A cancelled call throws the
 * signal's own reason (a `DOMException` named `AbortError` by default), never one of these.
 */
export class LightningError extends Error {
  override name = "LightningError";
}

/** A configuration that cannot be read, contradicts itself, or describes another architecture. */
export class ConfigError extends LightningError {
  override name = "ConfigError";
}

/** A source that cannot be opened, or a file in it that is damaged. */
export class CheckpointError extends LightningError {
  override name = "CheckpointError";
}

/** A weight that is missing, superfluous, of another shape or dtype, or holds NaN. */
export class WeightError extends LightningError {
  override name = "WeightError";
}

/** Tensors whose shapes do not fit an operation. */
export class ShapeError extends LightningError {
  override name = "ShapeError";
}

/** More memory than the machine or wasm32 can give. */
export class MemoryError extends LightningError {
  override name = "MemoryError";
}

/** Token ids, messages or options that a call cannot work with. */
export class InputError extends LightningError {
  override name = "InputError";
}

/** A request that the exact state of a conversation cannot honour (a rewind, a foreign save file). */
export class SessionError extends LightningError {
  override name = "SessionError";
}

/** A server that cannot be reached, refuses a request, or whose answer breaks off or cannot be read. */
export class RemoteError extends LightningError {
  override name = "RemoteError";
  /** HTTP status, if the server answered with an error. */
  readonly status: number | undefined;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /** How long the server asks to wait before that. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: ErrorOptions & { status?: number; retryable?: boolean; retryAfterMs?: number } = {}) {
    super(message, options);
    this.status = options.status;
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** `12.3 GiB`, for messages. */
export function formatBytes(bytes: number): string {
  if (typeof bytes !== "number") throw new InputError(`formatBytes: bytes: expected a number, got ${typeof bytes}`);
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
  let unit = 0;
  for (; bytes >= 1024 && unit < units.length - 1; unit++) bytes /= 1024;
  return `${unit === 0 ? bytes : bytes.toFixed(2).replace(/\.?0+$/, "")} ${units[unit]}`;
}
