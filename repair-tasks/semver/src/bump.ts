import { formatVersion, parseVersion } from "./version.ts";

export type Release = "major" | "minor" | "patch" | "prerelease";

/**
 * Returns the next version. A prerelease of the wanted release becomes that release: the next patch after 1.2.3-beta.1 is 1.2.3.
 * `prerelease` counts up the last number, or begins a prerelease `name.0` of the next patch.
 */
export function bump(version: string, release: Release, name = "alpha"): string {
  const { major, minor, patch, prerelease } = parseVersion(version);
  const isPrerelease = prerelease.length > 0;
  const format = (a: number, b: number, c: number, suffix: readonly (string | number)[] = []) =>
    formatVersion({ major: a, minor: b, patch: c, prerelease: suffix, build: [] });
  switch (release) {
    case "major":
      return format(isPrerelease && minor === 0 && patch === 0 ? major : major + 1, 0, 0);
    case "minor":
      return format(major, isPrerelease && patch === 0 ? minor : minor + 1, 0);
    case "patch":
      return format(major, minor, isPrerelease ? patch : patch + 1);
    case "prerelease":
      if (!isPrerelease) return format(major, minor, patch + 1, [name, 0]);
      if (prerelease[0] !== name) return format(major, minor, patch, [name, 0]);
      return format(major, minor, patch, countUp(prerelease));
  }
}

function countUp(prerelease: readonly (string | number)[]): (string | number)[] {
  const last = prerelease.at(-1);
  return typeof last === "number" ? [...prerelease.slice(0, -1), last + 1] : [...prerelease, 0];
}
