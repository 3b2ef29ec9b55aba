// Draws docs/terminal.svg: the output of `lightning-m1 generate` for one question, from the built command line. Usage: npm run build &&
// node scripts/terminal-picture.mjs
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const question = "Make 23 from 10 7 3";
const command = ["generate", "--chat", "--prompt", question, "--build", "simd"];
const output = execFileSync(process.execPath, [path("../dist/node/cli.js"), ...command], {
  encoding: "utf8",
  stdio: ["ignore", "pipe", "ignore"],
});

const FONT_SIZE = 14;
const LINE_HEIGHT = 20;
const MARGIN = 20;
const WIDTH = 640;
const colours = { prompt: "#7ee787", thinking: "#8b949e", answer: "#e6edf3" };

let colour = colours.thinking;
const lines = [[`$ npx lightning-m1 generate --chat --prompt "${question}"`, colours.prompt]];
for (const line of output.trimEnd().split("\n")) {
  if (line.startsWith("<answer>")) colour = colours.answer;
  lines.push([line, colour]);
}

const escapeXml = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const height = 2 * MARGIN + LINE_HEIGHT * lines.length;
const rows = lines.map(([text, fill], i) => {
  const weight = fill === colours.answer ? ' font-weight="bold"' : "";
  return `  <text x="${MARGIN}" y="${MARGIN + LINE_HEIGHT * (i + 1) - 6}" fill="${fill}"${weight} xml:space="preserve">${escapeXml(text)}</text>`;
});
writeFileSync(
  path("../docs/terminal.svg"),
  `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}"
  font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="${FONT_SIZE}" role="img">
  <title>The bundled model solves a puzzle in a terminal</title>
  <rect width="${WIDTH}" height="${height}" rx="8" fill="#0d1117"/>
${rows.join("\n")}
</svg>
`,
);
console.log(`docs/terminal.svg: ${lines.length} lines`);
