// Fails if a line of prose in the repository's Markdown is wider than 120 columns. Code blocks, tables and link definitions may be wider.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

const WIDTH = 120;
const files = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"], { encoding: "utf8" })
  .trim()
  .split("\n");

const wide = files.flatMap((file) => {
  let inCode = false;
  return readFileSync(file, "utf8")
    .split("\n")
    .flatMap((line, index) => {
      if (/^\s*```/.test(line)) inCode = !inCode;
      const free = inCode || /^\s*\|/.test(line) || /^\[[^\]]+\]: /.test(line);
      const columns = [...line].length;
      return free || columns <= WIDTH ? [] : [`${file}:${index + 1}: ${columns} columns, expected at most ${WIDTH} (wrap the line)`];
    });
});
for (const message of wide) console.error(message);
process.exit(wide.length > 0 ? 1 : 0);
