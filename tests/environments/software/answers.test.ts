// Unified diffs and search/replace blocks: reading, applying, refusing.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  applyPatch,
  applyRepairAnswer,
  createPatch,
  type FileMap,
  PatchError,
  parseRepairAnswer,
} from "../../../src/environments/index.js";

const files: FileMap = { "src/a.js": "one\ntwo\nthree\nfour\nfive\nsix\nseven\n", "b.js": "x\ny\nx\n" };
const apply = (response: string) => applyRepairAnswer(files, parseRepairAnswer(response));
const changedA = (response: string) => apply(response)["src/a.js"];
const TWO = "one\nTWO\nthree\nfour\nfive\nsix\nseven\n";
const HUNK = "@@ -1,3 +1,3 @@\n one\n-two\n+TWO\n three\n";
const DIFF = `--- a/src/a.js\n+++ b/src/a.js\n${HUNK}`;

describe("unified diffs", () => {
  test.each([
    ["as it is", DIFF],
    ["in a fenced block with text around it", `I think this is it:\n\n\`\`\`diff\n${DIFF}\`\`\`\n\nDone.`],
    ["in a block that is not closed", `\`\`\`\n${DIFF}`],
    ["after reasoning with another diff", `<think>\n${DIFF.replace("TWO", "2")}</think>\n${DIFF}`],
    ["the last of two blocks", `\`\`\`diff\n${DIFF.replace("TWO", "2")}\`\`\`\n\`\`\`diff\n${DIFF}\`\`\``],
    ["with git's header", `diff --git a/src/a.js b/src/a.js\nindex 123..456 100644\n${DIFF}`],
    ["without prefixes", `--- src/a.js\n+++ src/a.js\n${HUNK}`],
    ["with wrong counts", DIFF.replace("-1,3 +1,3", "-1,9 +1,1")],
    ["without line numbers", DIFF.replace("@@ -1,3 +1,3 @@", "@@")],
    ["with a wrong line number", DIFF.replace("-1,3 +1,3", "-5,3 +5,3")],
    ["with a line number far beyond the end", DIFF.replace("-1,3 +1,3", "-99999999999,3 +99999999999,3")],
    ["with CRLF", DIFF.replaceAll("\n", "\r\n")],
    [
      "with a context line that differs",
      DIFF.replace("@@ -1,3 +1,3 @@\n one", "@@ -1,5 +1,5 @@\n one").replace(" three\n", " three\n four\n 5\n"),
    ],
  ])("%s", (_, response) => expect(changedA(response)).toBe(TWO));

  test("files are created, deleted and renamed", () => {
    expect(apply("--- /dev/null\n+++ b/src/new.js\n@@ -0,0 +1,2 @@\n+one\n+two\n")["src/new.js"]).toBe("one\ntwo\n");
    expect(apply("--- a/b.js\n+++ /dev/null\n@@ -1,3 +0,0 @@\n-x\n-y\n-x\n")).not.toHaveProperty(["b.js"]);
    const renamed = apply("diff --git a/b.js b/c.js\nsimilarity index 100%\nrename from b.js\nrename to c.js\n");
    expect(Object.keys(renamed)).toEqual(["src/a.js", "c.js"]);
    expect(renamed["c.js"]).toBe(files["b.js"]);
  });

  test.each([
    ["a path that leaves the project", "--- a/src/a.js\n+++ b/../a.js\n@@ -1 +1 @@\n-one\n+1\n", "a path inside the project"],
    ["a path that leaves a folder", "--- /dev/null\n+++ b/src/../../x\n@@ -0,0 +1 @@\n+1\n", "a path inside the project"],
    ["an absolute path", "--- /dev/null\n+++ /etc/cron.d/x\n@@ -0,0 +1 @@\n+1\n", "a relative path"],
    ["a path of Windows", "--- /dev/null\n+++ b/C:\\x.js\n@@ -0,0 +1 @@\n+1\n", "a relative path"],
    ["git's metadata", "--- /dev/null\n+++ b/.git/hooks/pre-commit\n@@ -0,0 +1 @@\n+1\n", "outside git's metadata"],
    ["git's metadata in other letters", "--- /dev/null\n+++ b/lib/.GIT/config\n@@ -0,0 +1 @@\n+1\n", "outside git's metadata"],
    [
      "a symbolic link",
      "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc/passwd\n\\ No newline at end of file\n",
      "symbolic link",
    ],
    ["a file that becomes a link", `diff --git a/b.js b/b.js\nold mode 100644\nnew mode 120000\n${DIFF}`, "symbolic link"],
    ["a submodule", "diff --git a/m b/m\nnew file mode 160000\n--- /dev/null\n+++ b/m\n@@ -0,0 +1 @@\n+Subproject commit 1\n", "submodule"],
    ["a binary patch", "diff --git a/b.js b/b.js\nBinary files a/b.js and b/b.js differ\n", "binary"],
    ["a binary patch in git's encoding", "diff --git a/b b/b\nnew file mode 100644\nGIT binary patch\nliteral 3\nKcmZQz\n\n", "binary"],
    ["a file that does not exist", "--- a/c.js\n+++ b/c.js\n@@ -1 +1 @@\n-x\n+y\n", "unknown path"],
    ["a new file that exists", "--- /dev/null\n+++ b/b.js\n@@ -0,0 +1 @@\n+x\n", "existing file"],
    ["a deletion that leaves lines", "--- a/b.js\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-x\n", "deletion of all lines"],
    ["lines that are not there", "--- a/b.js\n+++ b/b.js\n@@ -1,2 +1,2 @@\n-nine\n+ten\n y\n", "without them"],
    ["a file that would be a folder", "--- /dev/null\n+++ b/src\n@@ -0,0 +1 @@\n+x\n", "as a file and as a folder"],
    ["a header without hunks", "--- a/b.js\n+++ b/b.js\n", "no hunk"],
  ])("refuses %s", (_, response, message) => {
    expect(() => apply(response)).toThrow(PatchError);
    expect(() => apply(response)).toThrow(message);
  });

  test("a created patch applies to what it was created from, in both directions", () => {
    const line = fc.constantFrom("a", "b", "", "--- x", "+++ y", "@@ -1 +1 @@", "diff --git a/x b/x", "\\ no", "é");
    const text = fc.tuple(fc.array(line, { maxLength: 12 }), fc.boolean()).map(([lines, ends]) => lines.join("\n") + (ends ? "\n" : ""));
    const map = fc.dictionary(fc.constantFrom("a.js", "b/c d.js", "é.js"), text, { noNullPrototype: true });
    fc.assert(
      fc.property(map, map, (before, after) => {
        const patch = createPatch(before, after);
        if (patch === "") expect(before).toEqual(after);
        else expect(applyPatch(before, patch)).toEqual(after);
      }),
      { numRuns: 150 },
    );
  });

  test("a patch of files without anything in common replaces them, in little time", () => {
    const began = performance.now();
    const lines = Array.from({ length: 8000 }, (_, i) => `line ${i}`);
    const before = { "a.js": `${lines.join("\n")}\n`, "b.js": "x\n" };
    const after = { "a.js": lines.toReversed().join("\n"), "b.js": "y\n" };
    expect(applyPatch(before, createPatch(before, after))).toEqual(after);
    expect(performance.now() - began).toBeLessThan(30_000);
  });

  test("names of built-in properties are ordinary names", () => {
    const created = apply("--- /dev/null\n+++ b/__proto__\n@@ -0,0 +1 @@\n+x\n");
    expect(Object.keys(created)).toContain("__proto__");
    expect(() => apply("--- a/constructor\n+++ b/constructor\n@@ -1 +1 @@\n-x\n+y\n")).toThrow("unknown path");
  });
});

const block = (search: string, replace: string) => `<<<<<<< SEARCH\n${search}=======\n${replace}>>>>>>> REPLACE\n`;

describe("search/replace blocks", () => {
  test.each([
    ["with the path before", `src/a.js\n${block("two\n", "TWO\n")}`],
    ["with a heading", `### src/a.js\n${block("two\n", "TWO\n")}`],
    ["in a fenced block", `The fix:\n\`\`\`\nsrc/a.js\n${block("two\n", "TWO\n")}\`\`\``],
    ["with the path before the fence", `**\`src/a.js\`**:\n\`\`\`js\n${block("two\n", "TWO\n")}\`\`\``],
    ["with CRLF", `src/a.js\n${block("two\n", "TWO\n")}`.replaceAll("\n", "\r\n")],
    ["after reasoning", `<think>\nb.js\n${block("x\n", "")}</think>src/a.js\n${block("two\n", "TWO\n")}`],
  ])("%s", (_, response) => expect(changedA(response)).toBe(TWO));

  test("blocks are applied in order, and a path counts until the next one", () => {
    expect(changedA(`src/a.js\n${block("two\n", "TWO\n")}${block("TWO\nthree\n", "2\n3\n")}`)).toBe("one\n2\n3\nfour\nfive\nsix\nseven\n");
  });

  test("lines are removed, and files created", () => {
    expect(changedA(`src/a.js\n${block("two\n", "")}`)).toBe("one\nthree\nfour\nfive\nsix\nseven\n");
    expect(apply(`src/new.js\n${block("", "new\n")}`)["src/new.js"]).toBe("new\n");
  });

  test("line ends of the file stay", () => {
    const windows = { "a.js": "one\r\ntwo\r\n" };
    expect(applyRepairAnswer(windows, parseRepairAnswer(`a.js\n${block("two\n", "2\n")}`))).toEqual({ "a.js": "one\r\n2\r\n" });
  });

  test.each([
    ["lines that occur twice", `b.js\n${block("x\n", "z\n")}`, "several times"],
    ["lines that do not occur", `b.js\n${block("z\n", "x\n")}`, "without it"],
    ["a part of a line", `src/a.js\n${block("tw\n", "TW\n")}`, "whole lines"],
    ["other white space", `src/a.js\n${block("  two\n", "TWO\n")}`, "white space"],
    ["an unknown file", `c.js\n${block("x\n", "z\n")}`, "unknown path"],
    ["an empty search in a file with text", `b.js\n${block("", "z\n")}`, "an empty search creates a file"],
    ["a path that leaves the project", `../b.js\n${block("", "z\n")}`, "a path inside the project"],
    ["git's metadata", `.git/config\n${block("", "z\n")}`, "outside git's metadata"],
    ["no path", block("x\n", "z\n"), "expected a path"],
    ["no end", "b.js\n<<<<<<< SEARCH\nx\n", "got neither"],
    ["no answer at all", "I do not know.", "got neither"],
    ["reasoning only", `<think>\nsrc/a.js\n${block("two\n", "TWO\n")}`, "got neither"],
  ])("refuses %s", (_, response, message) => {
    expect(() => apply(response)).toThrow(PatchError);
    expect(() => apply(response)).toThrow(message);
  });

  test("any text is read or refused", () => {
    const part = fc.constantFrom(
      "<<<<<<< SEARCH\n",
      "=======\n",
      ">>>>>>> REPLACE\n",
      "b.js\n",
      "x\n",
      "--- a/b.js\n",
      "+++ b/b.js\n",
      "@@ -1 +1 @@\n",
      "+x\n",
      "-x\n",
      "```\n",
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 15 }), (parts) => {
        try {
          apply(parts.join(""));
        } catch (error) {
          expect(error).toBeInstanceOf(PatchError);
        }
      }),
      { numRuns: 200 },
    );
  });
});

test("large answers are read or refused quickly", () => {
  const began = performance.now();
  for (const answer of [
    "```js\n".repeat(50_000),
    `${"*".repeat(200_000)}x\n<<<<<<< SEARCH\n`,
    `b.js\n${block("z\n", "")}`.repeat(7_000),
    `b.js\n${"<<<<<<< SEARCH\n=======\n".repeat(10_000)}`,
    `--- a/b.js\n+++ b/b.js\n${"@@ -1,2 +1,2 @@\n-n\n+m\n".repeat(10_000)}`,
    `--- a/b.js\n+++ b/b.js\n@@\n${" \n".repeat(100_000)}`,
    "x".repeat(2_000_000),
  ]) {
    expect(() => apply(answer)).toThrow(PatchError);
  }
  expect(performance.now() - began).toBeLessThan(20_000);
});
