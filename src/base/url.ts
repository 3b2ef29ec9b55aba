/**
 * Parses a URL, relative to `base` if it is given. Returns undefined if the text is not a URL.
 *
 * `URL.canParse` must not decide this: in Node 20 and 22 it refuses hosts and paths with letters such as ü once it has been optimised.
 */
export function parseUrl(text: string | URL, base?: string | URL): URL | undefined {
  try {
    return new URL(text, base);
  } catch {
    return undefined;
  }
}
