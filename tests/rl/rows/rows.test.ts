import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Solver } from "../../../src/rl/evaluation/evaluate.js";
import {
  attributeSources,
  evaluateRows,
  generateRows,
  judgeRow,
  levelsOf,
  parseTaskRows,
  passAt,
  passHat,
  passRates,
  type Row,
  type RowResult,
  reverifyRow,
  rowSource,
  rowTasks,
  synlogic,
  trainingRow,
} from "../../../src/rl/index.js";
import { formatLines } from "../../../src/rl/rows/row-format.js";

const some = () => [...generateRows("kukurasu", { count: 3 }), ...generateRows("compact/dyck-completion", { count: 3, level: "2" })];
const right = (row: Row) => (row.task.startsWith("compact/") ? `<think>\n</think>\n<answer>${row.answer}</answer>` : synlogic.solve(row));
const codec = { prompt: (question: string) => [...Buffer.from(question)] };

/** A model that answers from a table, in pieces, and counts the questions that it is asked. */
function solver(respond: (question: string, sample: number) => string): Solver & { asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    generateBatch(inputs) {
      asked.push(inputs[0]![0]!.content);
      async function* tokens() {
        for (const [index, [message]] of inputs.entries()) {
          for (const text of respond(message!.content, index).match(/[\s\S]{1,7}/g) ?? []) yield { index, id: 0, logprob: 0, text };
        }
      }
      return tokens() as never;
    },
  };
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe("rows", () => {
  test("all tasks have rows at each level; row i does not depend on the others", () => {
    expect(rowTasks.length).toBeGreaterThan(synlogic.tasks.length);
    for (const task of rowTasks) {
      for (const level of levelsOf(task).slice(0, 2)) {
        const rows = generateRows(task, { level, count: 2, seed: 9 });
        expect(judgeRow(rows[1]!, right(rows[1]!)).right, `${task} ${level}`).toBe(true);
        expect(generateRows(task, { level, first: 1, seed: 9 })).toEqual([rows[1]]);
      }
    }
  });

  test.each([
    [() => generateRows("chess"), /task:.*kukurasu.*chess/],
    [() => generateRows("kukurasu", { level: "1" }), /kukurasu: level:.*tiny.*1/],
    [() => generateRows("compact/sudoku", { level: "9" }), /level:.*1, 2, 3.*9/],
    [() => generateRows("compact/sudoku", { language: "zh" }), /language/],
    [() => generateRows("kukurasu", { parameters: { size: 3 } }), /size: unknown option.*n, m/],
    [() => generateRows("kukurasu", { parameters: { n: 99 } }), /n:.*integer within \[2, 8\]/],
    [
      () => judgeRow({ task: "compact/sudoku", question: "x", answer: "", metadata: null }, "<think></think><answer>1</answer>"),
      /metadata/,
    ],
    [() => judgeRow({ task: "kukurasu", question: "x", answer: "", metadata: {} }, "[[1]]"), /metadata\.row_sums/],
  ])("invalid calls are refused: %#", (call, message) => expect(call).toThrow(message));

  test("written and read: the same rows, as published and as trainers read them, with metadata as text or as an object", () => {
    const rows = some();
    expect(parseTaskRows(formatLines(rows), "a.jsonl")).toEqual(rows);
    const training = rows.map(trainingRow);
    const plain = rows.map(({ task, question, answer, metadata }) => ({ task, question, answer, metadata }));
    expect(parseTaskRows(formatLines(training), "a.jsonl")).toEqual(plain);
    expect(training[0]).toMatchObject({ prompt: [{ role: "user", content: rows[0]!.question }], data_source: "synlogic/kukurasu" });
    const text = rows.slice(0, 3).map(({ task: _, metadata, ...row }) => ({ ...row, metadata: JSON.stringify(metadata) }));
    expect(parseTaskRows(`\uFEFF\n${formatLines(text)}\n`, "a.jsonl", "kukurasu")[2]!.metadata).toEqual(rows[2]!.metadata);
  });

  test.each([
    ["", /a\.jsonl: expected rows/],
    ["x", /a\.jsonl: line 1: expected JSON/],
    ["[]", /line 1: expected a JSON object/],
    ['{"task":"chess","question":"x"}', /line 1: task:.*"chess"/],
    ['{"task":"kukurasu"}', /line 1: question/],
    ['{"task":"kukurasu","question":"x","metadata":3}', /line 1: metadata/],
    ['{"info":3}', /line 1: info/],
  ])("%j is no file of rows", (text, message) => expect(() => parseTaskRows(text, "a.jsonl")).toThrow(message));
});

describe("evaluation", () => {
  test("samples are judged; a right one in three gives its pass rates; every row is asked once", async () => {
    const rows = some();
    const answers = new Map(rows.map((row) => [row.question, right(row)]));
    const model = solver((question, sample) => (sample === 1 ? answers.get(question)! : "no idea"));
    const results = await collect(evaluateRows(model, rows, { samples: 3, concurrency: 6 }));
    expect(results.map(({ index }) => index).sort()).toEqual([0, 1, 2, 3, 4, 5]);
    for (const { pass_rate, samples } of results) {
      expect(pass_rate).toBeCloseTo(1 / 3);
      expect(samples.map((sample) => sample.right)).toEqual([false, true, false]);
    }
    expect(model.asked).toHaveLength(6);
    expect(passRates(results).map(({ group, rows, passAtSamples }) => [group, rows, passAtSamples])).toEqual([
      ["kukurasu", 3, 1],
      ["compact/dyck-completion", 3, 1],
    ]);
    expect(results.map(reverifyRow)).toEqual(results);
  });

  test("rows to skip are not asked; results may come in any order", async () => {
    const model = solver(() => "");
    const results = await collect(evaluateRows(model, some(), { skip: new Set([0, 1, 4]), concurrency: 2 }));
    expect(results.map(({ index }) => index).sort()).toEqual([2, 3, 5]);
    expect(model.asked).toHaveLength(3);
  });

  test("an error of the model ends the evaluation and is thrown", async () => {
    const broken: Solver = {
      generateBatch: () => {
        throw new Error("no connection");
      },
    };
    await expect(collect(evaluateRows(broken, some()))).rejects.toThrow("no connection");
    await expect(
      collect(
        evaluateRows(
          solver(() => ""),
          [],
        ),
      ),
    ).rejects.toThrow(/rows: expected at least one/);
  });

  test("pass@k and pass^k equal the shares of subsets of k responses with a right one and with right ones only", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 7 }), fc.nat(6), (outcomes, below) => {
        const [n, k] = [outcomes.length, Math.min(below + 1, outcomes.length)];
        let [subsets, passed, perfect] = [0, 0, 0];
        for (let bits = 0; bits < 1 << n; bits++) {
          const chosen = outcomes.filter((_, i) => (bits >> i) & 1);
          if (chosen.length !== k) continue;
          subsets++;
          if (chosen.includes(true)) passed++;
          if (!chosen.includes(false)) perfect++;
        }
        expect(passAt(k, n, outcomes.filter(Boolean).length)).toBeCloseTo(passed / subsets, 12);
        expect(passHat(k, n, outcomes.filter(Boolean).length)).toBeCloseTo(perfect / subsets, 12);
      }),
    );
    expect(() => passAt(3, 2, 1)).toThrow(/passAt: .*k 3/);
    expect(() => passHat(1, 2, 3)).toThrow(/passHat: .*c 3/);
  });

  test("undecided responses do not count", () => {
    const sample = (verdict: boolean | null) => ({ response: "", tokens: 2, right: verdict, reason: "" });
    const row = generateRows("kukurasu")[0]!;
    const result = (index: number, verdicts: readonly (boolean | null)[]): RowResult => ({
      ...row,
      index,
      samples: verdicts.map(sample),
      pass_rate: 0,
    });
    const [rates] = passRates([result(0, [true, null]), result(1, [null, null])]);
    expect(rates).toMatchObject({ rows: 2, samples: 2, mean: 1, passAtSamples: null, undecided: 3, tokens: 2 });
  });
});

describe("sources for reinforcement learning", () => {
  const judge = async (source: ReturnType<typeof rowSource>, index: number, text: string) =>
    source.problem(index).judge({ text, ids: [] } as never);

  test("rows repeat; right is 1, wrong is 0", async () => {
    const rows = some();
    const source = rowSource("some", rows, codec);
    expect(await judge(source, 7, right(rows[1]!))).toEqual({ correct: true, total: 1, components: { correct: 1 } });
    expect(await judge(source, 1, "no")).toEqual({ correct: false, total: 0, components: { correct: 0 } });
    expect(source.problem(8).prompt).toEqual(codec.prompt(rows[2]!.question));
  });

  test("one source for each value of an attribute, the same problem for the same index", async () => {
    const sources = attributeSources("kukurasu", "n", [2, 4], codec, { seed: 3 });
    expect(sources.map(({ name }) => name)).toEqual(["kukurasu n=2", "kukurasu n=4"]);
    expect(sources[1]!.problem(5).prompt).toEqual(sources[1]!.problem(5).prompt);
    expect(Buffer.from(sources[1]!.problem(5).prompt).toString()).toContain("4 rows");
    expect(() => attributeSources("kukurasu", "seed", [2], codec)).toThrow(/attribute:.*n, m.*seed/);
    expect(() => attributeSources("kukurasu", "n", [2, 99], codec)).toThrow(/n:.*within/);
  });
});
