// Keeps credentials out of messages, stacks and causes. Credentials are user names, passwords, tokens, and queries of URLs, which may
// contain signatures.

import { expectArgument } from "../base/options.js";
import { parseUrl } from "../base/url.js";

const MASK = "***";

/** Minimum length of a value that is masked. Shorter values would match other text by chance. */
const MIN_SECRET_CHARACTERS = 4;

/** The URL and the headers of a request. */
export interface Endpoint {
  /** The URL without user name, password and fragment. */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
}

/** Moves user name and password of a URL into a header. `fetch` does not forward such a header to another origin. */
export function withCredentialsInHeader(from: URL): Endpoint {
  const url = new URL(from);
  url.username = url.password = url.hash = "";
  if (!from.username && !from.password) return { url, headers: {} };
  const pair = new TextEncoder().encode(`${percentDecoded(from.username)}:${percentDecoded(from.password)}`);
  return { url, headers: { Authorization: `Basic ${btoa(String.fromCharCode(...pair))}` } };
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Reduces one URL to origin and path, for messages. If the text is not a URL, removes everything that may be a credential. */
export function maskUrl(text: string): string {
  const url = /^https?:/i.test(text) ? parseUrl(text) : undefined;
  if (url) {
    const { origin, pathname } = url;
    // No slash is added to an origin without a path.
    return pathname === "/" && !/^https?:[\\/]*[^\\/?#]+[\\/]/i.test(text) ? origin : origin + pathname;
  }
  // This is a URL without its scheme. The user name may be a single letter, like the name of a drive.
  const pair = /^[^/\\@\s]+:[^/\\]*@/.exec(text)?.[0];
  if (pair) return `${MASK}@${text.slice(pair.length)}`.replace(/[?#].*$/s, "");
  const isUrl = /^([a-z][a-z0-9+.-]+:|[\\/]{2})/i.test(text);
  return isUrl ? text.replace(/^([a-z][a-z0-9+.-]+:[\\/]*|[\\/]{2,}).*@/is, `$1${MASK}@`).replace(/[?#].*$/s, "") : text;
}

/** Reduces every URL in a text to origin and path. The result contains no user name, password or query of a URL, so it can be logged. */
export function maskUrls(text: string): string {
  expectArgument("maskUrls: text", typeof text === "string", "a string", text);
  return text.replace(/\b[a-z][a-z0-9+.-]+:\/\/[^\s"'`<>()]+/gi, (url) => {
    const end = /[.,:;]*$/.exec(url)![0];
    return maskUrl(url.slice(0, url.length - end.length)) + end;
  });
}

/** Masks the secrets of a request in a text. */
export type MaskSecrets = (text: string) => string;

/**
 * Creates a function that masks the secrets of a request. @param more further secrets, besides the values in the headers and in the URL's
 * query
 */
export function secretMasker({ url, headers }: Endpoint, more: readonly string[] = []): MaskSecrets {
  const sent = Object.values(headers).flatMap((value) => [value, value.replace(/^\w+ /, "")]);
  const query = [...url.searchParams.values()].flatMap((value) => [value, encodeURIComponent(value)]);
  const secrets = [...new Set([...sent, ...sent.flatMap(basicParts), ...query, ...more])].filter(
    ({ length }) => length >= MIN_SECRET_CHARACTERS,
  );
  secrets.sort((a, b) => b.length - a.length);
  return (text) => secrets.reduce((masked, secret) => masked.replaceAll(secret, MASK), maskUrls(text));
}

/** Returns user name and password of the value of a Basic authorization header. */
function basicParts(header: string): string[] {
  const pair = /^Basic (.*)$/.exec(header)?.[1];
  if (pair === undefined) return [];
  const text = new TextDecoder().decode(Uint8Array.from(atob(pair), (character) => character.charCodeAt(0)));
  return [text.slice(text.indexOf(":") + 1), text.slice(0, text.indexOf(":"))];
}

/** Copies an error and its causes, with secrets masked. Other fields are dropped, because they may contain headers and whole URLs. */
export function withSecretsMasked(error: unknown, hide: MaskSecrets, depth = 0): Error {
  if (!(error instanceof Error)) return new Error(hide(String(error)));
  const inner = causeOf(error);
  const copy = new Error(hide(error.message), inner && depth < 4 ? { cause: withSecretsMasked(inner, hide, depth + 1) } : undefined);
  copy.name = error.name;
  if (error.stack) copy.stack = hide(error.stack);
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? Object.assign(copy, { code }) : copy;
}

/** Returns the messages of an error and its causes. `fetch` gives the reason of a failure only as the cause. */
export function messageWithCauses(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inner = causeOf(error);
  return [error.message, inner && messageWithCauses(inner)].filter(Boolean).join(": ") || error.name;
}

function causeOf(error: Error): Error | undefined {
  const inner = error instanceof AggregateError ? error.errors[0] : error.cause;
  return inner instanceof Error ? inner : undefined;
}
