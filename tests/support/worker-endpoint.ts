// Takes the place of src/node/worker-endpoint.ts in tests, because Node cannot run TypeScript in a thread: the thread's script is bundled
// when the first test needs it.

import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { buildSync } from "esbuild";

export { endpointOf, parentEndpoint } from "../../src/node/worker-endpoint.js";

const path = (relative: string) => fileURLToPath(new URL(`../../${relative}`, import.meta.url));

let script: string | undefined;

function bundledScript(): string {
  const outfile = path(`build/worker-of-${process.pid}.mjs`);
  const alias = Object.fromEntries(
    Object.entries({ platform: "platform", sandbox: "sandbox", threads: "threads", websocket: "websocket", worker: "worker-endpoint" }).map(
      ([name, file]) => [`#${name}`, path(`src/node/${file}.ts`)],
    ),
  );
  buildSync({
    ...{ entryPoints: [path("src/worker/lightning-m1-worker.ts")], outfile, alias },
    ...{ bundle: true, format: "esm", platform: "node", target: "es2022", packages: "external", logLevel: "error" },
  });
  process.once("exit", () => rmSync(outfile, { force: true }));
  return outfile;
}

export function startWorker(): Worker {
  script ??= bundledScript();
  return new Worker(script, { execArgv: [] });
}
