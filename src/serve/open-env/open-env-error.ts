import { InputError, LightningError } from "../../base/errors.js";
import type { OpenEnvErrorCode } from "../../environments/open-env/protocol.js";
import { HttpError } from "../http-error.js";

/** An error that a client of the environment server gets. Its message is a sentence that a person can read. */
export class OpenEnvError extends LightningError {
  override name = "OpenEnvError";

  constructor(
    readonly code: OpenEnvErrorCode,
    /** Status of the response over HTTP. */
    readonly status: 400 | 404 | 409 | 422 | 500 | 501 | 503 | 504,
    message: string,
    /** More fields of the error. */
    readonly fields: Readonly<Record<string, unknown>> = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** The data of an error message on a WebSocket. */
  get data() {
    return { message: this.message, code: this.code, ...this.fields };
  }
}

/** Converts any error to what the client gets. Unknown errors get a general message, so that no internals reach the client. */
export function toOpenEnvError(error: unknown): OpenEnvError {
  if (error instanceof OpenEnvError) return error;
  if (error instanceof HttpError && error.code === "invalid_json") return new OpenEnvError("INVALID_JSON", 400, error.message);
  if (error instanceof InputError) return new OpenEnvError("VALIDATION_ERROR", 422, error.message);
  return new OpenEnvError("EXECUTION_ERROR", 500, "internal server error; the server's log has the details", {}, { cause: error });
}

/** The error of a request that arrives, or still runs, when the server stops. */
export const stopping = (): OpenEnvError => new OpenEnvError("SESSION_ERROR", 503, "the server is shutting down; retry later");
