import { InputError, LightningError, MemoryError } from "../base/errors.js";

/** An error response. Its message is a sentence that a client can show to a person. */
export class HttpError extends LightningError {
  override name = "HttpError";

  constructor(
    readonly status: 400 | 401 | 403 | 404 | 405 | 408 | 413 | 415 | 429 | 500 | 503 | 504,
    readonly code: string,
    message: string,
    /** Value of the `Retry-After` header, in seconds. */
    readonly retryAfterSeconds?: number,
  ) {
    super(message);
  }

  /** Headers of the response. A body that was not read to its end makes the connection useless. Clients must not send the next request on it. */
  get headers(): Record<string, string> {
    return {
      ...(this.retryAfterSeconds !== undefined && { "retry-after": `${this.retryAfterSeconds}` }),
      ...(this.status === 413 && { connection: "close" }),
    };
  }

  /** The error as the JSON body of OpenAI's format. */
  get body() {
    const type = this.status >= 500 ? "server_error" : this.status === 429 ? "rate_limit_error" : "invalid_request_error";
    return { error: { message: this.message, type, param: null, code: this.code } };
  }
}

/** Converts any error to an error response. Errors of unknown classes get a general message, so that no internals reach the client. */
export function toHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof InputError) return new HttpError(400, "invalid_request", error.message);
  if (error instanceof MemoryError) return new HttpError(503, "out_of_memory", error.message, 1);
  if (error instanceof LightningError) return new HttpError(500, "model_error", error.message);
  return new HttpError(500, "internal_error", "internal server error; the server's log has the details");
}

/** Creates the response to requests that arrive, or still run, when the server stops. */
export function shuttingDown(): HttpError {
  return new HttpError(503, "stopping", "the server is shutting down; retry later", 5);
}

/**
 * Creates the response to a prompt that leaves no room for an answer. It has OpenAI's error code.
 *
 * @param got the prompt's length, or a lower bound of it
 */
export function contextLengthExceeded(context: number, got: string): HttpError {
  return new HttpError(
    400,
    "context_length_exceeded",
    `prompt: this model's maximum context length is ${context} tokens for prompt and answer together, but the prompt has ${got}. ` +
      "Shorten the prompt.",
  );
}
