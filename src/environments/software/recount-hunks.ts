/** The header of a hunk. Models also write it without numbers. */
const HUNK = /^@@(?: -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)?)?(?: @@|\s|$)/;

/** Corrects the line counts in the headers of a diff's hunks, and gives empty context lines their space. */
export function recountHunks(patch: string): string {
  const lines = patch.split("\n");
  const result: string[] = [];
  for (let i = 0; i < lines.length; ) {
    const header = HUNK.exec(lines[i]!);
    if (!header) {
      result.push(lines[i++]!);
      continue;
    }
    let end = i + 1;
    while (end < lines.length && !endsHunk(lines, end)) end++;
    // Empty lines after the last hunk are not context.
    let last = end;
    while (last > i + 1 && lines[last - 1] === "") last--;
    const body = lines.slice(i + 1, last).map((line) => (line === "" ? " " : line));
    const before = body.filter((line) => /^[- ]/.test(line)).length;
    const after = body.filter((line) => /^[+ ]/.test(line)).length;
    // In a hunk without old lines, the number is that of the line before it.
    result.push(`@@ -${header[1] ?? (before === 0 ? 0 : 1)},${before} +${header[2] ?? 1},${after} @@`, ...body);
    i = end;
  }
  return `${result.join("\n")}\n`;
}

function endsHunk(lines: readonly string[], at: number): boolean {
  const line = lines[at]!;
  if (line === "") return false;
  if (!/^[-+ \\]/.test(line)) return true;
  return line.startsWith("--- ") && /^\+\+\+ \S/.test(lines[at + 1] ?? "");
}
