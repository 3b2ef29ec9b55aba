import { existsSync, readFileSync } from "node:fs";

// The pages that are made of the repository's Markdown, in the order of the sidebar. `file` is a path in the repository, `slug` the address
// on the site. `label` names the page in the sidebar; without it, the title in the file's front matter does. A description is here only if
// the file has no front matter.

const guide = (name, label) => ({ file: `docs/${name}.md`, slug: `guides/${name}`, label });

export const sections = [
  {
    label: "Start",
    pages: [
      {
        file: "README.md",
        slug: "start",
        label: "Start",
        description: "Install lightning-m1, ask the bundled model, load a checkpoint, and find the guide for each task.",
      },
    ],
  },
  {
    label: "Models",
    pages: [
      guide("loading"),
      guide("pretrained"),
      {
        file: "models/m1-puzzles/README.md",
        slug: "models/m1-puzzles",
        label: "Bundled model",
        description: "Model card of m1-puzzles, the bundled model: tasks, accuracy, training and limits.",
      },
      {
        file: "models/m1-puzzles-supervised/README.md",
        slug: "models/m1-puzzles-supervised",
        label: "Before reinforcement learning",
        description: "Model card of m1-puzzles-supervised, the bundled model before reinforcement learning.",
      },
      guide("full-size"),
    ],
  },
  { label: "Generation", pages: [guide("generation")] },
  {
    label: "Browser",
    pages: [
      guide("browser"),
      {
        file: "examples/README.md",
        slug: "guides/examples",
        label: "Examples",
        description: "Programs to copy for Vite, Next.js, a page without a bundler, a chat over serve, Deno and Bun.",
      },
    ],
  },
  { label: "Serving", pages: [guide("serving"), guide("remote"), guide("deployment")] },
  { label: "Training", pages: [guide("training")] },
  {
    label: "Reinforcement learning",
    pages: [
      guide("reinforcement-learning"),
      guide("compact-tasks"),
      guide("tasks"),
      guide("verifiers"),
      guide("environments"),
      guide("tool-dialogues"),
      guide("software-engineering"),
      guide("environments-over-http"),
    ],
  },
  { label: "Analysis", pages: [guide("analysis"), guide("cispo-study"), guide("recall-study")] },
  {
    label: "Internals",
    pages: [
      guide("architecture"),
      guide("lightning-attention"),
      guide("paper-map"),
      guide("ops"),
      guide("writing-a-kernel"),
      guide("correctness"),
      guide("performance"),
      {
        file: "bench/RESULTS.md",
        slug: "project/results",
        label: "Benchmark results",
        description: "All benchmark results: targets, kernels, whole models and long contexts, beside other libraries.",
      },
      guide("decisions"),
    ],
  },
  {
    label: "Project",
    pages: [
      {
        file: "CONTRIBUTING.md",
        slug: "project/contributing",
        label: "Contributing",
        description: "Set-up, commands, rules, and how to add a kernel, an op, a task, an objective or a command.",
      },
      {
        file: "CHANGELOG.md",
        slug: "project/changelog",
        label: "Changes",
        description: "Changes of each version for users of the package.",
      },
      {
        file: "SECURITY.md",
        slug: "project/security",
        label: "Security",
        description: "How to report a vulnerability, and what is in scope.",
      },
    ],
  },
];

export const pages = sections.flatMap((section) => section.pages);

const { exports } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));

/** The library's entry points for the API reference: name and source file. */
export const modules = Object.entries(exports)
  .filter(([, { types }]) => types?.startsWith("./dist/node/"))
  .map(([path]) => {
    const folder = path === "." ? "src" : path === "./node" ? "src/node-entry" : `src/${path.slice(2)}`;
    return { name: path.replace(".", "lightning-m1"), file: `${folder}/index.ts` };
  });

const lost = modules.find(({ file }) => !existsSync(new URL(`../${file}`, import.meta.url)));
if (lost) throw new Error(`site: ${lost.name}: expected its source in ${lost.file}, found none (change site/pages.mjs)`);
