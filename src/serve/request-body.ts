import { HttpError } from "./http-error.js";

/** The JSON of a request. @throws {HttpError} another media type, too many bytes, bytes that are no JSON */
export async function readJsonBody(request: Request, maxBytes: number): Promise<unknown> {
  // A page of another origin may send any other type without asking first.
  if (!/^application\/json\s*(;|$)/i.test(request.headers.get("content-type") ?? "")) {
    throw new HttpError(
      415,
      "media_type",
      `request: content-type: expected application/json, got ${request.headers.get("content-type") ?? "none"}`,
    );
  }
  const text = await readText(request, maxBytes);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HttpError(
      400,
      "invalid_json",
      `request: body: expected JSON, got something else: ${cause instanceof Error ? cause.message : cause}`,
    );
  }
}

async function readText(request: Request, maxBytes: number): Promise<string> {
  const tooLarge = () => new HttpError(413, "too_large", `request: body: expected at most ${maxBytes} bytes, got more (a shorter prompt)`);
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
    throw new HttpError(400, "invalid_body", "request: body: expected all of it, in UTF-8, got something else");
  }
}
