// The parts of prompts for repair tasks.

import { type FileMap, isTestFile } from "./paths.js";

/** How a model writes its answer. */
export type AnswerFormat = "edits" | "diff";

const EDITS = `Answer with search/replace blocks in one fenced block. Each block names a file, the exact lines to find and the lines to put in their place:

\`\`\`
src/example.js
<<<<<<< SEARCH
const limit = 10;
=======
const limit = 20;
>>>>>>> REPLACE
\`\`\`

The lines to find have to be whole lines that occur exactly once in the file, with their white space. An empty part to find creates a file.`;

const DIFF = `Answer with a unified diff in one fenced block, with the lines --- a/path and +++ b/path before the hunks of each file:

\`\`\`diff
--- a/src/example.js
+++ b/src/example.js
@@ -1,2 +1,2 @@
-const limit = 10;
+const limit = 20;
 export default limit;
\`\`\``;

/** Explains the form of the answer. */
export const answerFormat = (format: AnswerFormat): string => (format === "diff" ? DIFF : EDITS);

/** The issue of a task. */
export function issueSection(statement: string): string {
  return `Issue:\n\n${statement.trim()}`;
}

/** The texts of all files but tests, each in a fenced block. */
export function filesSection(files: FileMap): string {
  const paths = Object.keys(files).filter((path) => !isTestFile(path));
  return paths.map((path) => codeSection(path, files[path]!)).join("\n\n");
}

/** A titled fenced block, whose fence is longer than those in the text. */
export function codeSection(title: string, text: string): string {
  const fence = "`".repeat(Math.max(3, ...[...text.matchAll(/`{3,}/g)].map(([ticks]) => ticks.length + 1)));
  return `${title}\n${fence}\n${text.replace(/\n$/, "")}\n${fence}`;
}
