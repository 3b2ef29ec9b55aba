import assert from "node:assert/strict";
import test from "node:test";
import { bump } from "../src/bump.ts";
import { compareVersions, sortVersions } from "../src/compare.ts";
import { maxSatisfying, satisfies } from "../src/range.ts";
import { formatVersion, parseVersion } from "../src/version.ts";

test("a version is read and written", () => {
  const version = parseVersion("v1.20.3-beta.4+build.5");
  assert.deepEqual(version, { major: 1, minor: 20, patch: 3, prerelease: ["beta", 4], build: ["build", "5"] });
  assert.equal(formatVersion(version), "1.20.3-beta.4+build.5");
});

test("what is no version is refused", () => {
  for (const text of ["1.2", "1.2.3.4", "01.2.3", "1.2.3-", "a.b.c", "1.2.3-a..b", "1.2.3-01"]) {
    assert.throws(() => parseVersion(text), SyntaxError, text);
  }
});

test("versions are sorted by their numbers", () => {
  assert.deepEqual(sortVersions(["1.10.0", "1.9.9", "0.99.0", "1.9.10"]), ["0.99.0", "1.9.9", "1.9.10", "1.10.0"]);
  assert.equal(compareVersions("1.2.3+a", "1.2.3+b"), 0);
});

test("simple bounds", () => {
  assert.equal(satisfies("1.5.0", ">=1.0.0 <2.0.0"), true);
  assert.equal(satisfies("2.0.0", ">=1.0.0 <2.0.0"), false);
  assert.equal(satisfies("3.1.4", "1.0.0 || 3.1.4"), true);
  assert.equal(satisfies("1.0.1", "=1.0.0"), false);
});

test("the highest version of a range is found", () => {
  assert.equal(maxSatisfying(["1.2.0", "1.10.0", "1.9.0"], "^1.0.0"), "1.10.0");
  assert.equal(maxSatisfying(["1.2.0"], ">2.0.0"), undefined);
});

test("releases are counted up", () => {
  assert.equal(bump("1.2.3", "patch"), "1.2.4");
  assert.equal(bump("1.2.3", "minor"), "1.3.0");
  assert.equal(bump("1.2.3", "major"), "2.0.0");
});
