// What servers say when they refuse, in words.

/** What to do about a status. */
const REMEDIES: Readonly<Record<number, string>> = {
  400: "if the server knows OpenAI's fields only, connect with extensions: false",
  401: "give the apiKey that this server expects",
  403: "give an apiKey that may do this",
  404: "is the address the base of the API, which usually ends in /v1, and does the server have this model?",
  413: "shorten the input",
  422: "if the server knows OpenAI's fields only, connect with extensions: false",
  429: "the server is busy: ask again later, or raise retries",
};

/** A refusal's status, message and remedy. */
export function statusMessage(status: number, body: string): string {
  const remedy = REMEDIES[status] ?? (status >= 500 ? "the server's log tells more" : undefined);
  return `the server answered ${status}: ${serverMessage(body)}${remedy ? ` (${remedy})` : ""}`;
}

/** The message in a server's answer: OpenAI's form, vLLM's older one, FastAPI's, or the text itself. */
export function serverMessage(body: string): string {
  let message: unknown;
  try {
    const answer: unknown = JSON.parse(body);
    const { error, message: own, detail } = isRecord(answer) ? answer : {};
    message = (isRecord(error) ? error.message : error) ?? own ?? detail;
    if (message !== undefined && typeof message !== "string") message = JSON.stringify(message);
  } catch {}
  const text = String(message ?? body).trim();
  return text === "" ? "nothing more" : text.length > 500 ? `${text.slice(0, 500)}…` : text;
}

/** @param fail makes the error of what was got instead */
export function readJson(text: string, fail: (got: string, cause: unknown) => Error): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw fail(text === "" ? "nothing" : JSON.stringify(text.slice(0, 80)), cause);
  }
}

export function isRecord(x: unknown): x is Record<string, unknown> {
  return typeof x === "object" && x !== null && !Array.isArray(x);
}
