import { InputError, LightningError, MemoryError } from "../base/errors.js";

/** What a client is told instead of an answer. */
export class HttpError extends LightningError {
  override name = "HttpError";

  constructor(
    readonly status: 400 | 401 | 403 | 404 | 405 | 408 | 413 | 415 | 429 | 500 | 503 | 504,
    readonly code: string,
    message: string,
    /** When to come again. */
    readonly retryAfterSeconds?: number,
  ) {
    super(message);
  }

  /** OpenAI's form of an error. */
  get body() {
    const type = this.status >= 500 ? "server_error" : this.status === 429 ? "rate_limit_error" : "invalid_request_error";
    return { error: { message: this.message, type, param: null, code: this.code } };
  }
}

/** What a client may know of an error: the message of one that it can do something about, never a stack. */
export function toHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof InputError) return new HttpError(400, "invalid_request", error.message);
  if (error instanceof MemoryError) return new HttpError(503, "out_of_memory", error.message, 1);
  if (error instanceof LightningError) return new HttpError(500, "model_error", error.message);
  return new HttpError(500, "internal_error", "serve: expected an answer, got an error of the server's own (its log tells more)");
}
