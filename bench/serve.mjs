// Measures many clients at the same time compared with one client at a time. The bundled model runs behind `lightning-m1 serve`, and
// answers are streamed over loopback. The script checks that no request fails, that none starves, and that nothing is left running. Figures
// are medians over interleaved rounds.
//
//     node bench/serve.mjs [--seconds 120] [--rounds 6] [--clients 32] [--threads auto] [--json FILE]

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { cpus, loadavg } from "node:os";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { random } from "./random.mjs";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "120" },
    rounds: { type: "string", default: "6" },
    clients: { type: "string", default: "32" },
    threads: { type: "string", default: "auto" },
    json: { type: "string" },
  },
});
const [seconds, rounds, clients] = [values.seconds, values.rounds, values.clients].map(Number);
for (const [name, value] of Object.entries({ seconds, rounds, clients })) {
  if (!(value > 0)) throw new Error(`bench: --${name}: expected a number above 0, got ${values[name]}`);
}

const questions = JSON.parse(readFileSync(path("../tests/support/box-texts.json"), "utf8")).map(({ question }) => question);
/** Share of the clients that disconnect before their answer ends. */
const LEAVING = 1 / 3;

const server = spawn(process.execPath, [path("../dist/node/cli.js"), "serve", "--port", "0", "--json", "--threads", values.threads], {
  stdio: ["ignore", "pipe", "inherit"],
});
const [line] = await once(createInterface(server.stdout), "line");
const { port } = JSON.parse(line);
const agent = new Agent({ keepAlive: true, maxSockets: clients + 1 });

/**
 * Requests one answer, and reads it to its end or to the token after which the client disconnects. Returns the milliseconds to the first
 * token.
 */
function ask(question, seed, leaveAfter) {
  const body = JSON.stringify({
    ...{ messages: [{ role: "user", content: question }], seed, temperature: 1, top_p: 0.95, max_tokens: 300, stream: true },
  });
  return new Promise((resolve, reject) => {
    const began = performance.now();
    let first;
    let events = 0;
    let text = "";
    const sent = request(
      { port, agent, method: "POST", path: "/v1/chat/completions", headers: { "content-type": "application/json" } },
      (response) => {
        if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`));
        response.setEncoding("utf8");
        response.on("data", (chunk) => {
          first ??= performance.now() - began;
          text = (text + chunk).slice(-200);
          events += chunk.split("\n\n").length - 1;
          if (events > leaveAfter) {
            sent.destroy();
            resolve({ first, left: true });
          }
        });
        response.on("end", () =>
          text.endsWith("data: [DONE]\n\n") ? resolve({ first, left: false }) : reject(new Error(`ended in ${text}`)),
        );
        response.on("error", (error) => events <= leaveAfter && reject(error));
      },
    );
    sent.on("error", (error) => events <= leaveAfter && reject(error));
    sent.end(body);
  });
}

function text(path) {
  return fetch(`http://127.0.0.1:${port}${path}`).then((response) => response.text());
}

async function metric(name) {
  return Number(new RegExp(`^lightning_m1_${name} (\\S+)$`, "m").exec(await text("/metrics"))[1]);
}

/** Runs `count` clients for `ms` milliseconds. Each client sends its next request as soon as it has its answer. */
async function round(count, ms, seed) {
  const waits = [];
  const failures = [];
  let left = 0;
  const before = await metric("generated_tokens_total");
  const began = performance.now();
  await Promise.all(
    Array.from({ length: count }, async (_, client) => {
      const numbers = random(4096, seed * 1000 + client);
      let drawn = 0;
      const next = () => numbers[drawn++ % numbers.length] + 0.5;
      // Clients do not start at the same instant.
      await new Promise((resolve) => setTimeout(resolve, next() * Math.min(2000, ms / 4)));
      while (performance.now() - began < ms) {
        const question = questions[Math.floor(next() * questions.length)];
        const leaveAfter = next() < LEAVING ? Math.floor(next() * 40) : Number.POSITIVE_INFINITY;
        try {
          const answer = await ask(question, Math.floor(next() * 2 ** 32), leaveAfter);
          waits.push(answer.first);
          left += Number(answer.left);
        } catch (error) {
          failures.push(error.message);
        }
      }
    }),
  );
  const tokens = (await metric("generated_tokens_total")) - before;
  return { waits, failures, left, tokensPerSecond: (1000 * tokens) / (performance.now() - began) };
}

const median = (x) => x.toSorted((a, b) => a - b)[Math.floor(x.length / 2)];

await round(clients, 3000, 1);
await round(1, 3000, 2);
const [together, alone] = [[], []];
for (let i = 0; i < rounds; i++) {
  const ms = (1000 * seconds) / rounds;
  // The two variants take turns in going first.
  const both = [() => round(clients, ms, 10 + i).then((x) => together.push(x)), () => round(1, ms / 2, 100 + i).then((x) => alone.push(x))];
  for (const run of i % 2 ? both.reverse() : both) await run();
}
await new Promise((resolve) => setTimeout(resolve, 200));
const waits = together.flatMap((x) => x.waits);
const figures = {
  machine: `${cpus()[0]?.model ?? "unknown processor"}, ${cpus().length} cores, load ${loadavg()[0].toFixed(1)}`,
  clients,
  seconds,
  requests: waits.length,
  left: together.reduce((sum, x) => sum + x.left, 0),
  failures: [...together, ...alone].flatMap((x) => x.failures),
  tokensPerSecond: { together: median(together.map((x) => x.tokensPerSecond)), alone: median(alone.map((x) => x.tokensPerSecond)) },
  ratio: median(together.map((x, i) => x.tokensPerSecond / alone[i].tokensPerSecond)),
  firstTokenMs: { median: median(waits), longest: Math.max(...waits), alone: median(alone.flatMap((x) => x.waits)) },
  leftRunning: {
    requests: await metric("active_requests"),
    sequences: await metric("running_sequences"),
    cacheBytes: await metric("cache_bytes"),
  },
};
server.kill("SIGTERM");
const [exitCode] = await once(server, "exit");
console.log(JSON.stringify(figures, (_, x) => (typeof x === "number" ? Number(x.toPrecision(4)) : x), 2));
if (values.json) writeFileSync(values.json, `${JSON.stringify(figures, undefined, 1)}\n`);

const checks = {
  "no request fails": figures.failures.length === 0,
  "nobody waits for a first token longer than three times the median": figures.firstTokenMs.longest <= 3 * figures.firstTokenMs.median,
  "nothing is left running": Object.values(figures.leftRunning).every((x) => x === 0),
  "batching at least doubles throughput": figures.ratio >= 2,
  "the server ends with exit code 0": exitCode === 0,
};
for (const [check, holds] of Object.entries(checks)) console.log(`${holds ? "holds" : "FAILS"}: ${check}`);
process.exit(Object.values(checks).every(Boolean) ? 0 : 1);
