export interface Version {
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
  /** Identifiers after the hyphen. Numeric ones are numbers. */
  readonly prerelease: readonly (string | number)[];
  /** Identifiers after the plus. They do not affect precedence. */
  readonly build: readonly string[];
}

const VERSION = /^v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?$/;

/** Parses a version such as 1.2.3-beta.4+build.5. */
export function parseVersion(text: string): Version {
  const match = VERSION.exec(text.trim());
  if (!match) throw new SyntaxError(`not a version: ${text}`);
  const [, major, minor, patch, prerelease, build] = match;
  return {
    major: Number(major),
    minor: Number(minor),
    patch: Number(patch),
    prerelease: identifiers(prerelease, text).map((part) => (/^\d+$/.test(part) ? numeric(part, text) : part)),
    build: identifiers(build, text),
  };
}

function identifiers(list: string | undefined, text: string): string[] {
  const parts = list === undefined ? [] : list.split(".");
  if (parts.includes("")) throw new SyntaxError(`empty identifier: ${text}`);
  return parts;
}

function numeric(part: string, text: string): number {
  if (part.length > 1 && part.startsWith("0")) throw new SyntaxError(`leading zero: ${text}`);
  return Number(part);
}

export function formatVersion({ major, minor, patch, prerelease, build }: Version): string {
  const core = `${major}.${minor}.${patch}`;
  const suffix = prerelease.length > 0 ? `-${prerelease.join(".")}` : "";
  return core + suffix + (build.length > 0 ? `+${build.join(".")}` : "");
}
