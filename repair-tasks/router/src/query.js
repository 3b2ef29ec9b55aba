import { decode } from "./pattern.js";

/** Parses a query string. A name that occurs several times, or ends with [], has a list of values. */
export function parseQuery(text) {
  const query = {};
  for (const pair of text.replace(/^\?/, "").split("&")) {
    if (pair === "") continue;
    const at = pair.indexOf("=");
    const rawName = decodeComponent(at < 0 ? pair : pair.slice(0, at));
    const value = at < 0 ? "" : decodeComponent(pair.slice(at + 1));
    const isList = rawName.endsWith("[]");
    const name = isList ? rawName.slice(0, -2) : rawName;
    if (Object.hasOwn(query, name)) query[name] = [query[name], value].flat();
    else Object.defineProperty(query, name, { value: isList ? [value] : value, writable: true, enumerable: true, configurable: true });
  }
  return query;
}

/** In a query a plus stands for a space. */
function decodeComponent(text) {
  return decode(text.replaceAll("+", " "));
}

/** Writes a query string without question mark. Values of undefined are left out. */
export function formatQuery(query) {
  return Object.entries(query)
    .flatMap(([name, value]) => [value].flat().map((one) => [name, one]))
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
    .join("&");
}
