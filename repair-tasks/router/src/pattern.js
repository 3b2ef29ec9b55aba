/**
 * Compiles a path pattern: `/users/:id`, `/files/*path` (the rest of the path, at the end only), `/:lang?/docs` (optional segment).
 *
 * Returns `{ match(path), score }`. Patterns with a higher score are more specific.
 */
export function compilePattern(pattern) {
  if (!pattern.startsWith("/")) throw new TypeError(`a pattern begins with /, got ${pattern}`);
  const segments = split(pattern).map((text) => parseSegment(text, pattern));
  const rest = segments.findIndex(({ kind }) => kind === "rest");
  if (rest >= 0 && rest !== segments.length - 1) throw new TypeError(`* must be the last segment of ${pattern}`);
  const names = segments.flatMap(({ name }) => name ?? []);
  if (new Set(names).size < names.length) throw new TypeError(`a name occurs twice in ${pattern}`);
  return {
    pattern,
    score: scoreOf(segments),
    match: (path) => matchSegments(segments, split(path)),
  };
}

function parseSegment(text, pattern) {
  const [, sign, name, optional] = /^([:*]?)(.*?)(\??)$/.exec(text);
  if (sign === "") return { kind: "literal", text };
  if (!/^[A-Za-z_]\w*$/.test(name)) throw new TypeError(`invalid name in ${pattern}`);
  return { kind: sign === "*" ? "rest" : "parameter", name, isOptional: optional === "?" };
}

/** Literal segments count more than parameters, and these more than the rest; earlier segments count more than later ones. */
function scoreOf(segments) {
  const weights = { literal: 3, parameter: 2, rest: 1 };
  return segments.map(({ kind }) => weights[kind]);
}

/** Negative if the first score is more specific. */
export function compareScores(a, b) {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (b[i] ?? 0) - (a[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

function matchSegments(segments, parts) {
  const [segment, ...others] = segments;
  if (!segment) return parts.length === 0 ? {} : undefined;
  if (segment.kind === "rest") return { [segment.name]: parts.map(decode).join("/") };
  const [part, ...rest] = parts;
  if (part !== undefined) {
    if (segment.kind === "literal") return decode(part) === segment.text ? matchSegments(others, rest) : undefined;
    const found = matchSegments(others, rest);
    if (found) return { [segment.name]: decode(part), ...found };
  }
  return segment.isOptional ? matchSegments(others, parts) : undefined;
}

/** Segments without empty ones, so that trailing and doubled slashes do not matter. */
export function split(path) {
  return path.split("/").filter((part) => part !== "");
}

/** A segment that is not valid percent-encoding stands for itself. */
export function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
