// Writes docs/tasks.md: for each task an example with its solution, baselines, and how it differs from the published one.
// With `--check`, fails if the page is outdated. The baselines are not measured again then, because that takes most of the time. They can
// only change with a generator, and then the examples change too.
import { readFileSync, writeFileSync } from "node:fs";
import { Random, synlogic } from "../dist/node/rl.js";
import { differences } from "./task-differences.mjs";

const check = process.argv.includes("--check");
const PAGE = new URL("../docs/tasks.md", import.meta.url);
/** Number of puzzles of the level `easy` for the baselines. */
const PUZZLES = 200;
/** Maximum number of lines of a question. Longer questions are cut. */
const MAX_LINES = 40;

/** Returns the accuracy of `guess`, and that of always giving the most frequent right answer. */
function baselines(task) {
  const rows = synlogic.generate(task.name, { count: PUZZLES, seed: 11 });
  const random = Random.seeded(3);
  const share = (answer) => rows.filter((row) => synlogic.verify(row, answer(row))).length / rows.length;
  const counts = new Map();
  for (const row of rows) counts.set(synlogic.solve(row), (counts.get(synlogic.solve(row)) ?? 0) + 1);
  const [constant] = [...counts].sort((a, b) => b[1] - a[1])[0];
  const [blind, always] = [share((row) => task.guess(row, random)), share(() => constant)];
  return [blind.toFixed(2), always.toFixed(2), new Set(rows.map(({ question }) => question)).size];
}

/** Stands for the three baselines of a task when the page is checked. */
const MEASURED = ["…", "…", "…"];
const withoutBaselines = (text) => text.replace(/^(\| \[.*) \| [0-9.]+ \| [0-9.]+ \| [0-9]+ \|$/gm, `$1 | ${MEASURED.join(" | ")} |`);

/** Maximum length of a list in a parameter. Longer lists are abbreviated. */
const MAX_LISTED = 4;

/** Writes a value of a parameter. A long list that has every value of all levels is written as "all 9" or as "1 to 9". */
function valueText(value, levels) {
  if (!Array.isArray(value)) return String(value);
  if (value.length === 0) return "built-in";
  if (value.length <= MAX_LISTED) return value.join(", ");
  if (value.every((entry, i) => Number.isInteger(entry) && entry === value[0] + i)) return `${value[0]} to ${value.at(-1)}`;
  const complete = levels.flat().every((entry) => value.includes(entry));
  return complete ? `all ${value.length}` : value.join(", ");
}

/** Returns a table of the parameters of a task at each level. */
function sizesTable({ levels }) {
  const names = Object.keys(levels);
  const lines = Object.keys(levels.easy).map((parameter) => {
    const values = names.map((level) => levels[level][parameter]);
    return `| ${[`\`${parameter}\``, ...values.map((value) => valueText(value, values))].join(" | ")} |`;
  });
  return [`| parameter | ${names.join(" | ")} |`, `| --- |${" --- |".repeat(names.length)}`, ...lines].join("\n");
}

function fenced(text) {
  const lines = text
    .split("\n")
    .flatMap((line) => line.match(/.{1,118}(?:\s|$)|.{1,118}/g) ?? [""])
    .map((line) => line.trimEnd());
  const shown = lines.length > MAX_LINES ? [...lines.slice(0, MAX_LINES), `… (${lines.length - MAX_LINES} more lines)`] : lines;
  return `~~~~text\n${shown.join("\n")}\n~~~~`;
}

/** Wraps prose at 120 columns. */
function wrapped(text) {
  const lines = [""];
  for (const word of text.split(" ")) {
    if (lines.at(-1).length + word.length >= 120) lines.push("");
    lines[lines.length - 1] += lines.at(-1) === "" ? word : ` ${word}`;
  }
  return lines.join("\n");
}

const rows = [];
const sections = [];
for (const name of synlogic.tasks) {
  const task = synlogic.taskNamed(name);
  const measured = check ? MEASURED : baselines(task);
  rows.push(`| [${name}](#${name}) | ${task.languages.join(", ")} | ${task.attributes.join(", ")} | ${measured.join(" | ")} |`);
  const [row] = synlogic.generate(name, { level: "tiny", seed: 5 });
  sections.push(
    [
      `### ${name}`,
      wrapped(task.summary),
      wrapped(`**Difference from the published task:** ${differences[name]}`),
      sizesTable(task),
      fenced(row.question),
      "Answer:",
      fenced(synlogic.solve(row)),
    ].join("\n\n"),
  );
}

const page = `${readFileSync(PAGE, "utf8").split("<!-- gallery -->")[0]}<!-- gallery -->

| task | languages | harder with | blind guess | best constant answer | distinct |
| --- | --- | --- | --- | --- | --- |
${rows.join("\n")}

The last three columns are measured on ${PUZZLES} English puzzles of the level \`easy\`: the accuracy of a blind guess, the
accuracy of always giving the most frequent answer, and the number of distinct questions. If this number is below ${PUZZLES},
training and test sets that are generated from different seeds share some questions. In this case, compare the
questions, or use a harder level.

## Gallery

For each task, a table gives the parameters of the four levels; \`easy\` to \`hard\` are the published sizes. The example is
a puzzle of the level \`tiny\`, generated with the seed 5. \`npm run gallery\` writes this part of the page.

${sections.join("\n\n")}
`;

if (!check) writeFileSync(PAGE, page);
else if (withoutBaselines(readFileSync(PAGE, "utf8")) !== page) {
  console.error("docs/tasks.md: expected the gallery of the current tasks, got an outdated one (npm run gallery writes it)");
  process.exit(1);
}
