import { isObject } from "../base/json.js";

/** Remedies by error status. */
const REMEDIES: Readonly<Record<number, string>> = {
  400: "if the server supports OpenAI's fields only, connect with extensions: false",
  401: "set the option apiKey to a key of this server",
  403: "use an apiKey that permits this request",
  404: "check the address, which usually ends in /v1, and the model's name",
  413: "shorten the input",
  422: "if the server supports OpenAI's fields only, connect with extensions: false",
  429: "the server is busy; retry later, or raise the option retries",
};

/** Returns the sentence for an error status, with the status, the server's message and a remedy. */
export function statusMessage(status: number, body: string): string {
  const remedy = REMEDIES[status] ?? (status >= 500 ? "the server's log may say more" : undefined);
  return `the server answered ${status}: ${serverMessage(body)}${remedy ? ` (${remedy})` : ""}`;
}

/** Returns the message of an error response. It may be in OpenAI's format, in vLLM's older one, in FastAPI's, or the text itself. */
export function serverMessage(body: string): string {
  let message: unknown;
  try {
    const answer: unknown = JSON.parse(body);
    const { error, message: own, detail } = isObject(answer) ? answer : {};
    message = (isObject(error) ? error.message : error) ?? own ?? detail;
    if (message !== undefined && typeof message !== "string") message = JSON.stringify(message);
  } catch {}
  const text = String(message ?? body).trim();
  return text === "" ? "no message" : text.length > 500 ? `${text.slice(0, 500)}…` : text;
}

/** Parses JSON. @param fail creates the error from a description of the text */
export function readJson(text: string, fail: (got: string, cause: unknown) => Error): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw fail(text === "" ? "an empty text" : JSON.stringify(text.slice(0, 80)), cause);
  }
}
