import { HttpError } from "./http-error.js";

/**
 * Reads and parses the JSON body of a request.
 *
 * @throws {HttpError} a media type other than JSON, a body that is too large or incomplete, invalid UTF-8, invalid JSON
 */
export async function readJsonBody(request: Request, maxBytes: number): Promise<unknown> {
  // Browsers ask for permission (CORS preflight) before they send application/json to another origin, but not for types such as text/plain.
  if (!/^application\/json\s*(;|$)/i.test(request.headers.get("content-type") ?? "")) {
    throw new HttpError(
      415,
      "media_type",
      `content-type: this server reads application/json only, got ${request.headers.get("content-type") ?? "no type"}`,
    );
  }
  const text = await readText(request, maxBytes);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HttpError(400, "invalid_json", `body: invalid JSON (${cause instanceof Error ? cause.message : cause})`);
  }
}

async function readText(request: Request, maxBytes: number): Promise<string> {
  const tooLarge = () => new HttpError(413, "too_large", `body: expected at most ${maxBytes} bytes, got more. Shorten the request.`);
  if (Number(request.headers.get("content-length")) > maxBytes) throw tooLarge();
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const reader = request.body?.getReader();
  let text = "";
  let bytes = 0;
  try {
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true };
      if (done) return text + decoder.decode();
      bytes += value.length;
      if (bytes > maxBytes) throw tooLarge();
      text += decoder.decode(value, { stream: true });
    }
  } catch (cause) {
    if (cause instanceof HttpError) {
      await reader?.cancel().catch(() => {});
      throw cause;
    }
    throw new HttpError(400, "invalid_body", "body: the request is incomplete or not UTF-8");
  }
}
