import { compareVersions } from "./compare.ts";
import { parseVersion, type Version } from "./version.ts";

interface Bound {
  readonly operator: "<" | "<=" | ">" | ">=" | "=";
  readonly version: Version;
}

/** A range is a list of alternatives, each a list of bounds that all hold. */
export type Range = readonly (readonly Bound[])[];

const PARTIAL = /^v?(\d+|x|\*)(?:\.(\d+|x|\*))?(?:\.(\d+|x|\*))?(-[0-9A-Za-z.-]+)?$/i;

/** Parses ranges such as `^1.2.0`, `~2.3`, `>=1.0.0 <2.0.0`, `1.x || 3.1.4` and `1.0.0 - 2.0.0`. */
export function parseRange(text: string): Range {
  return text.split("||").map((alternative) => {
    const hyphen = /^\s*(\S+)\s+-\s+(\S+)\s*$/.exec(alternative);
    if (hyphen) return [bound(">=", lowest(hyphen[1]!)), ...upTo(hyphen[2]!)];
    const parts = alternative.trim().split(/\s+/).filter((part) => part !== "");
    return parts.flatMap(parseComparator);
  });
}

function parseComparator(text: string): Bound[] {
  const [, operator, rest] = /^(\^|~|<=|>=|<|>|=)?(.*)$/.exec(text)!;
  switch (operator) {
    case "^":
      return [bound(">=", lowest(rest!)), bound("<", nextBreaking(rest!))];
    case "~":
      return [bound(">=", lowest(rest!)), bound("<", next(rest!, Math.min(precision(rest!), 2)))];
    case "<":
    case ">=":
      return [bound(operator, lowest(rest!))];
    case "<=":
      return upTo(rest!);
    case ">":
      return precision(rest!) === 3 ? [bound(">", lowest(rest!))] : [bound(">=", next(rest!, precision(rest!)))];
    default:
      return precision(rest!) === 3 ? [bound("=", lowest(rest!))] : [bound(">=", lowest(rest!)), ...upTo(rest!)];
  }
}

function bound(operator: Bound["operator"], version: Version): Bound {
  return { operator, version };
}

/** Numbers of a partial version, as far as they are given. */
function numbers(text: string): number[] {
  const match = PARTIAL.exec(text);
  if (!match) throw new SyntaxError(`not a version: ${text}`);
  const given = match.slice(1, 4);
  const end = given.findIndex((part) => part === undefined || /[x*]/i.test(part));
  return (end < 0 ? given : given.slice(0, end)).map(Number);
}

/** How many of major, minor and patch are given. */
function precision(text: string): number {
  return numbers(text).length;
}

function lowest(text: string): Version {
  if (precision(text) === 3) return parseVersion(text);
  const [major = 0, minor = 0] = numbers(text);
  return { major, minor, patch: 0, prerelease: [], build: [] };
}

/** The first version after all those that begin with the first `count` numbers. */
function next(text: string, count: number): Version {
  const [major = 0, minor = 0, patch = 0] = numbers(text);
  if (count === 0) return { major: Infinity, minor: 0, patch: 0, prerelease: [], build: [] };
  if (count === 1) return { major: major + 1, minor: 0, patch: 0, prerelease: [], build: [] };
  if (count === 2) return { major, minor: minor + 1, patch: 0, prerelease: [], build: [] };
  return { major, minor, patch: patch + 1, prerelease: [], build: [] };
}

/** The first number that is not 0 must not change. */
function nextBreaking(text: string): Version {
  const given = numbers(text);
  const significant = given.findIndex((part) => part > 0);
  return next(text, significant < 0 ? given.length : significant + 1);
}

function upTo(text: string): Bound[] {
  const count = precision(text);
  return count === 3 ? [bound("<=", lowest(text))] : [bound("<", next(text, count))];
}

/** Whether a version lies in a range. A prerelease does so only if a bound of the same alternative has the same three numbers and a prerelease. */
export function satisfies(version: string, range: Range | string): boolean {
  const parsed = parseVersion(version);
  const alternatives = typeof range === "string" ? parseRange(range) : range;
  return alternatives.some((bounds) => bounds.every((one) => holds(parsed, one)) && allowsPrerelease(parsed, bounds));
}

function holds(version: Version, { operator, version: limit }: Bound): boolean {
  const order = compareVersions(version, limit);
  switch (operator) {
    case "<":
      return order < 0;
    case "<=":
      return order <= 0;
    case ">":
      return order > 0;
    case ">=":
      return order >= 0;
    default:
      return order === 0;
  }
}

function allowsPrerelease(version: Version, bounds: readonly Bound[]): boolean {
  if (version.prerelease.length === 0) return true;
  return bounds.some(
    ({ version: limit }) =>
      limit.prerelease.length > 0 &&
      limit.major === version.major &&
      limit.minor === version.minor &&
      limit.patch === version.patch,
  );
}

/** The highest version of a list within a range, undefined if there is none. */
export function maxSatisfying(versions: readonly string[], range: string): string | undefined {
  const parsed = parseRange(range);
  return versions
    .filter((version) => satisfies(version, parsed))
    .reduce<string | undefined>((best, version) => (best === undefined || compareVersions(version, best) > 0 ? version : best), undefined);
}
