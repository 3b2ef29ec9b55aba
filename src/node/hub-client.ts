import { CheckpointError, LightningError } from "../base/errors.js";
import { HttpExchange, readBody } from "../io/http-exchange.js";
import { type Endpoint, type MaskSecrets, maskUrl, messageWithCauses, secretMasker, withSecretsMasked } from "../io/mask-secrets.js";
import { isTransientStatus, type RetryPolicy, TransferError, withRetries } from "../io/retry.js";

/** Maximum size in bytes of one response of the hub's API, and maximum number of requests for one list of files. */
const MAX_RESPONSE_BYTES = 1 << 26;
const MAX_REQUESTS = 1000;

/** Sends requests to the hub's API, with retries, size limits, and errors without secrets. */
export class HubClient {
  private readonly maskSecrets: MaskSecrets;
  private requests = 0;

  constructor(
    readonly endpoint: Endpoint,
    readonly retryPolicy: RetryPolicy,
  ) {
    this.maskSecrets = secretMasker(endpoint);
  }

  /** Settings that make functions of `@huggingface/hub` send their requests through this client. */
  apiSettings(signal: AbortSignal | undefined) {
    const send = (url: string | URL | Request) => this.request(new URL(url instanceof Request ? url.url : url), signal);
    return { hubUrl: this.endpoint.url.href.replace(/\/$/, ""), fetch: send as typeof fetch };
  }

  /** Requests one whole response. The token is sent only to the hub itself, because a list of files may continue at another address. */
  private async request(url: URL, signal: AbortSignal | undefined): Promise<Response> {
    if (++this.requests > MAX_REQUESTS) throw new Error(`the list of files has more than ${MAX_REQUESTS} pages`);
    const headers = url.origin === this.endpoint.url.origin ? this.endpoint.headers : {};
    return withRetries(
      async () => {
        const exchange = await HttpExchange.open({ url, headers }, { headers: { Accept: "application/json" } }, this.retryPolicy, signal);
        const { status } = exchange;
        if (isTransientStatus(status)) {
          exchange.close();
          throw exchange.statusError();
        }
        const body = await readBody(exchange, MAX_RESPONSE_BYTES);
        const type = exchange.headers.get("content-type") ?? "";
        const link = exchange.headers.get("link");
        const response = new Response(status === 204 ? null : body, { status, headers: { "content-type": type, ...(link && { link }) } });
        // `@huggingface/hub` puts the URL into its messages.
        Object.defineProperty(response, "url", { value: maskUrl(exchange.url) });
        return response;
      },
      this.retryPolicy,
      signal,
    );
  }

  /**
   * Runs `body` and converts its errors to CheckpointErrors without secrets.
   *
   * @throws {CheckpointError} whose message begins with `where`; the signal's reason
   */
  async withHubErrors<T>(where: string, signal: AbortSignal | undefined, body: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await body();
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof LightningError) throw error;
      const status = error instanceof TransferError ? error.status : (error as { statusCode?: number }).statusCode;
      const reason = error instanceof TransferError ? error.reason : messageWithCauses(error);
      const remedy =
        status === 401 || status === 403
          ? "set HF_TOKEN, and accept the model's terms"
          : status === 404
            ? "check the id and the revision"
            : (error instanceof TransferError && error.details.remedy) ||
              "check the connection; to use only the cache, set localFilesOnly or HF_HUB_OFFLINE=1";
      throw new CheckpointError(`${where}: the hub cannot be read: ${this.maskSecrets(reason)} (${remedy})`, {
        cause: withSecretsMasked(error, this.maskSecrets),
      });
    }
  }
}
