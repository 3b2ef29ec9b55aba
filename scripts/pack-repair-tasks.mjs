// Packs repair-tasks/ into the JSON file that the package loads, with the tests that each bug makes fail. Needs dist/.
// With --check it only compares the result with the file.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { applyRepairAnswer, parseRepairAnswer, runTests } from "../dist/node/environments.js";

const root = fileURLToPath(new URL("../repair-tasks", import.meta.url));
const target = fileURLToPath(new URL("../src/environments/software/tasks/repair-tasks.json", import.meta.url));
const read = (...path) => readFileSync(join(root, ...path), "utf8");
const byName = (a, b) => (a < b ? -1 : 1);

const projects = {};
const tasks = [];
for (const project of readdirSync(root, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .sort(byName)) {
  const paths = readdirSync(join(root, project), { recursive: true })
    .filter((path) => /^(?:src|test)\/.*\.[jt]s$/.test(path))
    .sort(byName);
  const files = Object.fromEntries(paths.map((path) => [path, read(project, path)]));
  projects[project] = files;
  for (const file of readdirSync(join(root, project, "tasks")).sort(byName)) {
    tasks.push(await packTask(project, file.replace(/\.md$/, ""), files, read(project, "tasks", file)));
  }
}

async function packTask(project, name, files, text) {
  const match = /^# (.*?)\n\n## Bug\n\n```text\n(.*?)```\n\n## Tests\n\n```js\n(.*?)```\n$/s.exec(text);
  if (!match) throw new Error(`${project}/tasks/${name}.md: expected # title, ## Bug with \`\`\`text and ## Tests with \`\`\`js`);
  const [, statement, blocks, test] = match;
  const { edits } = parseRepairAnswer(blocks);
  const buggy = applyRepairAnswer(files, { edits });
  const tests = { [`test/${name}.test.js`]: test };
  const before = await resultsOf(buggy, tests);
  const after = await resultsOf(files, tests);
  const broken = Object.keys(after).filter((id) => after[id] !== "passed");
  if (broken.length > 0) throw new Error(`${project}/${name}: expected all tests to pass without the bug, got ${broken.join(", ")}`);
  const visible = Object.keys(before).filter((id) => before[id] !== "passed" && !id.startsWith(`test/${name}.test.js`));
  if (visible.length > 0) throw new Error(`${project}/${name}: expected visible tests to pass with the bug, got ${visible.join(", ")}`);
  const names = Object.keys(after).sort(byName);
  return {
    id: `${project}__${name}`,
    project,
    statement,
    bug: edits,
    tests,
    FAIL_TO_PASS: names.filter((id) => before[id] !== "passed"),
    PASS_TO_PASS: names.filter((id) => before[id] === "passed"),
  };
}

async function resultsOf(all, hidden) {
  const files = { ...all, ...hidden };
  const { results } = await runTests({ files, tests: Object.keys(files).filter((path) => path.startsWith("test/")) });
  return results;
}

const packed = `${JSON.stringify({ projects, tasks }, null, 1)}\n`;
if (!process.argv.includes("--check")) {
  writeFileSync(target, packed);
  console.log(`${tasks.length} tasks of ${Object.keys(projects).length} projects, ${packed.length} bytes`);
} else if (readFileSync(target, "utf8") !== packed) {
  console.error(
    "src/environments/software/tasks/repair-tasks.json: expected the content of repair-tasks/, got another one (npm run repair-tasks)",
  );
  process.exit(1);
}
