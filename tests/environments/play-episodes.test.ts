// Many episodes at a time.

import { describe, expect, test } from "vitest";
import { type Environment, playEpisodes, type Trace, totalReward } from "../../src/environments/index.js";
import { counting, countRows } from "../support/counting-environment.js";
import { call, scriptedModel } from "../support/scripted-model.js";

const counter = scriptedModel((messages, turn) =>
  turn === 0 ? call("add", { n: Number(/\d+/.exec(String(messages[0]!.content))![0]) }) : "done",
);

async function all(traces: AsyncIterable<Trace>): Promise<Trace[]> {
  const list: Trace[] = [];
  for await (const trace of traces) list.push(trace);
  return list;
}
const places = (traces: readonly Trace[]) => traces.map(({ info }) => `${info.row}/${info.sample}`).sort();

describe("playEpisodes", () => {
  test("plays all samples of all rows, with their own seeds, and at most so many at a time", async () => {
    let [running, most] = [0, 0];
    let release = () => {};
    // The first four wait for each other.
    const four = new Promise<void>((resolve) => {
      release = resolve;
    });
    const environment: Environment<(typeof countRows)[number]> = {
      ...counting(),
      async start(row, context) {
        most = Math.max(most, ++running);
        if (running === 4) release();
        await four;
        const episode = await counting().start(row, context);
        return { ...episode, dispose: () => void running-- };
      },
    };
    const traces = await all(playEpisodes(counter, environment, countRows, { samples: 3, concurrency: 4, seed: 10 }));
    expect([traces.length, most, running]).toEqual([12, 4, 0]);
    expect(places(traces)).toEqual([0, 1, 2, 3].flatMap((row) => [0, 1, 2].map((sample) => `${row}/${sample}`)));
    expect(traces.map(totalReward)).toEqual(traces.map(() => 2));
    expect(traces.map(({ agent }) => agent.config.seed).sort()).toEqual(Array.from({ length: 12 }, (_, i) => 10 + i));
  });

  test("finished episodes are not played again; equal rows are different episodes; other rows are played", async () => {
    const rows = [countRows[0]!, countRows[0]!, countRows[1]!];
    const finished = (await all(playEpisodes(counter, counting(), rows, { samples: 2, seed: 1 }))).filter(({ info }) => info.row !== 2);
    const rest = await all(playEpisodes(counter, counting(), rows, { samples: 3, seed: 1, finished: finished.slice(1) }));
    expect(places([...rest, ...finished.slice(1)])).toEqual([0, 1, 2].flatMap((row) => [0, 1, 2].map((sample) => `${row}/${sample}`)));
    const others = await all(playEpisodes(counter, counting(), [countRows[3]!], { finished }));
    expect(others).toHaveLength(1);
  });

  test("leaving the loop and a signal cancel what runs", async () => {
    const log = { started: 0, disposed: 0 };
    const slow = scriptedModel((messages, turn) =>
      String(messages[0]!.content).includes("1") || turn > 0 ? "done" : call("add", { n: 15 }),
    );
    for await (const trace of playEpisodes(slow, counting(log), countRows, {})) {
      expect(trace.info.row).toBe(0);
      break;
    }
    expect(log).toEqual({ started: 4, disposed: 4 });
    const signal = AbortSignal.timeout(20);
    await expect(all(playEpisodes(slow, counting(log), countRows, { signal }))).rejects.toThrow("timeout");
    expect(log).toEqual({ started: 8, disposed: 8 });
  });

  test.each([
    [{ samples: 0 }, "samples"],
    [{ finished: [{}] }, "finished[0]"],
    [{ batch: 1 }, "batch: unknown option"],
  ])("invalid options %j", async (options, message) => {
    await expect(all(playEpisodes(counter, counting(), countRows, options as object))).rejects.toThrow(`playEpisodes: ${message}`);
  });
});
