// Measures contestants, each of them in a separate process. Every round runs each contestant once, so that a slower phase of the machine
// affects all of them. Results are medians over the rounds.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

const worker = fileURLToPath(new URL("worker.mjs", import.meta.url));
/** Pause in milliseconds after a contestant with several threads, because its threads may still spin. */
const PAUSE_MS = 120;
const TIMEOUT_MS = 180_000;

/**
 * @typedef {object} Contestant
 * @property {string} name
 * @property {string} module file URL of a module with `setup(options)` and `prepare(task, ...inputs)`
 * @property {{ name: string, path: string, flags: string[] }} engine
 * @property {object} [options] for `setup`
 * @property {Record<string, string>} [env]
 * @property {number} [threads]
 * @property {"simd" | "relaxed" | "native"} build whose engine it is
 * @property {boolean} [peer] not the library itself
 */

class Contest {
  /** Contestants that cannot run, with the reason. */
  skipped = [];

  /** @param {Contestant[]} contestants */
  static async open(contestants) {
    const contest = new Contest();
    contest.players = contestants.map((contestant) => new Player(contestant));
    for (const player of contest.players) await contest.unlessSkipped(player, () => player.ask({ op: "setup" }));
    return contest;
  }

  /**
   * Measures the contestants on one task.
   *
   * @param {object} heat
   * @param {string} heat.title
   * @param {object} heat.task `kind` selects the inputs and the check (tasks.mjs)
   * @param {Record<string, { unit: string, work: number }>} heat.metrics what `run` times, and the work that it does, in units
   * @param {(contestant: Contestant) => boolean} [heat.takesPart]
   */
  async heat({ title, task, metrics, takesPart = () => true }, { rounds, ms }) {
    const active = [];
    for (const player of this.players.filter((player) => !player.failed && takesPart(player.contestant))) {
      await this.unlessSkipped(player, async () => {
        const { once, note } = await player.ask({ op: "prepare", task, warmMs: ms });
        active.push({ player, note, repeats: Math.max(1, Math.ceil(ms / once)), rates: {} });
      });
    }
    for (let round = 0; round < rounds; round++) {
      for (const entry of active.filter(({ player }) => !player.failed)) {
        const { player, repeats, rates } = entry;
        await this.unlessSkipped(player, async () => {
          const { times } = await player.ask({ op: "measure", repeats });
          for (const [metric, time] of Object.entries(times)) {
            rates[metric] ??= [];
            rates[metric].push(metrics[metric].work / (time / 1000));
          }
        });
        if ((player.contestant.threads ?? 1) > 1) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    }
    for (const entry of active.filter(({ player }) => !player.failed)) {
      await this.unlessSkipped(entry.player, async () => {
        entry.report = (await entry.player.ask({ op: "release" })).report;
      });
    }
    const results = active
      .filter(({ player }) => !player.failed)
      .map(({ player: { contestant, info }, note, report, rates }) => ({
        name: contestant.name,
        build: contestant.build,
        engine: contestant.engine.name,
        peer: contestant.peer ?? false,
        info,
        note,
        report,
        rates: Object.fromEntries(Object.entries(rates).map(([metric, values]) => [metric, summary(values)])),
      }));
    return { title, task, units: Object.fromEntries(Object.entries(metrics).map(([name, { unit }]) => [name, unit])), results };
  }

  close() {
    for (const player of this.players) player.stop();
  }

  async unlessSkipped(player, body) {
    try {
      await body();
    } catch (error) {
      player.failed = true;
      player.stop();
      const { name, build, engine } = player.contestant;
      this.skipped.push({ name, build, engine: engine.name, reason: error.message });
    }
  }
}

/**
 * Several tasks for the same contestants, one after the other.
 *
 * @param {Contestant[]} contestants
 * @param {object[]} heats see `Contest.heat`
 * @param {{ own: boolean, quick: boolean, rounds: number, ms: number, show: (heat: object) => void }} options `own`: without peers;
 * `quick`: each setting in one build only
 */
export async function stage(contestants, heats, options) {
  const chosen = options.quick ? takeTurns(contestants) : contestants;
  const contest = await Contest.open(chosen.filter(({ peer }) => !(peer && options.own)));
  const results = [];
  try {
    for (const heat of heats) {
      results.push(await contest.heat(heat, options));
      options.show(results.at(-1));
    }
  } finally {
    contest.close();
  }
  for (const { name, engine, reason } of contest.skipped) console.log(`  skipped: ${name}, ${engine}: ${reason}`);
  return { heats: results, skipped: contest.skipped };
}

/** Keeps each setting of a module in one build. The builds take turns; a module with a single setting keeps all of them. */
function takeTurns(contestants) {
  const settings = new Map();
  for (const { module, name, build } of contestants) {
    const of = settings.get(module) ?? settings.set(module, new Map()).get(module);
    const setting = name.replace(build, "");
    of.set(setting, [...(of.get(setting) ?? []), build]);
  }
  return contestants.filter(({ module, name, build }) => {
    const of = settings.get(module);
    const setting = name.replace(build, "");
    const builds = of.get(setting);
    return of.size === 1 || build === builds[[...of.keys()].indexOf(setting) % builds.length];
  });
}

/** One contestant's process. */
class Player {
  failed = false;
  info = "";

  constructor(contestant) {
    this.contestant = contestant;
    this.child = fork(worker, {
      execPath: contestant.engine.path,
      execArgv: ["--expose-gc", "--max-old-space-size=8192", ...contestant.engine.flags],
      env: { ...process.env, ...contestant.env },
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.stderr = "";
    this.child.stderr.setEncoding("utf8").on("data", (text) => {
      this.stderr = (this.stderr + text).slice(-2000);
    });
  }

  /** Sends a request and waits for its answer. @throws the contestant's error, or an error if its process ended or hangs */
  ask(request) {
    const { module, options = {} } = this.contestant;
    const { child } = this;
    return new Promise((resolve, reject) => {
      const end = (settle, value) => {
        clearTimeout(timer);
        child.off("message", onMessage).off("exit", onExit);
        settle(value);
      };
      const onMessage = (answer) => {
        if (answer.info) this.info = answer.info;
        if (answer.error) end(reject, new Error(answer.error));
        else end(resolve, answer);
      };
      const onExit = (code, signal) => {
        const last = this.stderr.trim().split("\n").slice(-3).join(" | ");
        end(reject, new Error(`its process ended with ${signal ?? `exit code ${code}`}${last && `: ${last}`}`));
      };
      const timer = setTimeout(() => end(reject, new Error(`${request.op}: no answer for ${TIMEOUT_MS / 1000} s`)), TIMEOUT_MS);
      child.on("message", onMessage).on("exit", onExit);
      if (child.exitCode !== null || child.signalCode) onExit(child.exitCode, child.signalCode);
      else child.send({ ...request, module, options });
    });
  }

  stop() {
    this.child.kill("SIGKILL");
  }
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function summary(values) {
  return { median: median(values), minimum: Math.min(...values), maximum: Math.max(...values) };
}
