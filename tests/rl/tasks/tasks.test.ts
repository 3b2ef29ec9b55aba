import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Random } from "../../../src/base/random.js";
import {
  booleanExpression,
  bracketError,
  formatResponse,
  instanceKey,
  judge,
  moreTasks,
  numberTarget,
  parseResponse,
  type Solution,
  sudoku,
  type Task,
  tasks,
  webOfLies,
  wordSorting,
} from "../../../src/rl/index.js";
import { facts } from "../../support/facts.js";
import { compute, latinAnswers, oracle, truth } from "./oracles.js";

/** Instances of each level, for the distributions. */
const INSTANCES = 2000;
/** The first of them, for everything that is compared with an oracle. */
const COMPARED = 500;

const allTasks = [...tasks, ...moreTasks];
const cases = allTasks.flatMap((task) => Array.from({ length: task.levels }, (_, index) => ({ task, level: index + 1 })));
const named = cases.map(({ task, level }) => [`${task.name} ${level}`, task, level] as const);

function* draw(task: Task, level: number, count = COMPARED, random = Random.seeded(level)) {
  for (let index = 0; index < count; index++) yield task.generate(random, level);
}

/** Upper bound of the tokens of a byte-level BPE with a token for each fixed word, capital, digit, sign and line end. */
const symbols = (text: string) => text.match(/[a-z]+|[A-Z]|\d|\n|[^\sA-Za-z\d]/g)?.length ?? 0;

const solutionSymbols = (solution: Solution) => symbols(formatResponse(solution).replace(/<\/?(think|answer)>/g, "."));

interface Drawn {
  readonly instance: unknown;
  readonly question: string;
  readonly solution: Solution;
}

const drawnCases = new Map<string, readonly Drawn[]>();

/** The first instances of a seed with their solutions, made once for all tests that look at many. */
function solved(task: Task, level: number, count = COMPARED): readonly Drawn[] {
  const name = `${task.name} ${level}`;
  let drawn = drawnCases.get(name);
  if (!drawn) {
    drawn = [...draw(task, level, INSTANCES)].map((instance) => ({
      instance,
      question: task.question(instance),
      solution: task.solve(instance),
    }));
    drawnCases.set(name, drawn);
  }
  return drawn.slice(0, count);
}

/** Words of an answer swapped, dropped, doubled, or replaced by words of another answer. */
function mutate(answer: string, other: string, random: Random): string {
  const words = answer.split(/\s+/);
  const others = other.split(/\s+/);
  const at = (list: readonly unknown[]) => Math.floor(random.next() * list.length);
  const [i, j] = [at(words), at(words)];
  const changes = [
    () => words.with(i, words[j]!).with(j, words[i]!),
    () => words.toSpliced(i, 1),
    () => words.toSpliced(i, 0, words[j]!),
    () => words.with(i, others[at(others)]!),
    () => words.with(i, words[j]!),
  ];
  return changes[at(changes)]!().join(" ");
}

describe.each(named)("%s", (_, task, level) => {
  test("the solver's answers are right according to the verifier and to an oracle that sees the question only", () => {
    for (const { instance, question, solution } of solved(task, level)) {
      const { answer } = solution;
      const verdicts = [task.verify(instance, answer), oracle(task.name)(question, answer)];
      if (verdicts.includes(false)) expect.fail(`${question}: ${answer}: ${verdicts}`);
    }
  });

  test("the verifier agrees with the oracle on guesses and on modified answers", () => {
    const random = Random.seeded(99);
    let other = "none";
    let wrong = 0;
    for (const { instance, question, solution } of solved(task, level)) {
      const { answer } = solution;
      for (const attempt of [task.guess(instance, random), mutate(answer, other, random), other]) {
        const right = oracle(task.name)(question, attempt);
        if (task.verify(instance, attempt) !== right) expect.fail(`${question}: ${attempt}: expected ${right}`);
        if (!right) wrong++;
      }
      other = answer;
    }
    expect(wrong).toBeGreaterThan(COMPARED);
  });

  test("questions have at most 60 symbols and solutions 210", () => {
    const drawn = solved(task, level);
    expect(Math.max(...drawn.map(({ question }) => symbols(question)))).toBeLessThanOrEqual(60);
    expect(Math.max(...drawn.map(({ solution }) => solutionSymbols(solution)))).toBeLessThanOrEqual(210);
  });

  test("symbols are separated by single spaces; capitals form words of at most three letters", () => {
    for (const instance of draw(task, level, 200)) {
      const { thinking, answer } = task.solve(instance);
      const words = [task.question(instance), thinking, answer].flatMap((text) => text.split(/[ \n]/));
      const others = words.filter((word) => !/^([A-Z]?[a-z]+|[A-Z]{1,3}|\d{1,2}|[^\sA-Za-z\d])$/.test(word));
      if (others.length > 0) expect.fail(`${task.question(instance)}: ${JSON.stringify(others)}`);
    }
  });

  test("the same seed gives the same instances, which are plain JSON data", () => {
    const first = [...draw(task, level, 50)];
    expect([...draw(task, level, 50)]).toEqual(first);
    expect(JSON.parse(JSON.stringify(first))).toEqual(first);
    const keys = first.map((instance) => instanceKey(task, instance));
    expect(keys).toEqual(first.map((instance) => instanceKey(task, JSON.parse(JSON.stringify(instance)))));
    expect([...draw(task, level, 50, Random.seeded(1234))]).not.toEqual(first);
  });
});

test("blind guessing and the best constant answer score below 0.35; levels have many distinct instances", () => {
  const table = cases.map(({ task, level }) => {
    const random = Random.seeded(5);
    const keys = new Set<string>();
    const answers = new Map<string, number>();
    let guessed = 0;
    const lengths = { question: 0, solution: 0, longest: 0 };
    const count = INSTANCES;
    for (const { instance, question, solution } of solved(task, level, count)) {
      const length = solutionSymbols(solution);
      keys.add(instanceKey(task, instance));
      answers.set(solution.answer, (answers.get(solution.answer) ?? 0) + 1);
      if (task.verify(instance, task.guess(instance, random))) guessed++;
      lengths.question += symbols(question) / count;
      lengths.solution += length / count;
      lengths.longest = Math.max(lengths.longest, length);
    }
    return {
      task: task.name,
      level,
      guess: guessed / count,
      constant: Math.max(...answers.values()) / count,
      distinct: keys.size,
      question: Math.round(lengths.question),
      solution: Math.round(lengths.solution),
      longest: lengths.longest,
    };
  });
  // docs/compact-tasks.md has the same table, a row per task with its levels side by side.
  const guide = readFileSync(new URL("../../../docs/compact-tasks.md", import.meta.url), "utf8");
  expect(guide).toContain("| distinct of 2,000 |");
  for (const { name } of allTasks) {
    const levels = table.filter(({ task }) => task === name);
    const figures = [
      levels.map(({ guess }) => guess.toFixed(2)),
      levels.map(({ constant }) => constant.toFixed(2)),
      levels.map(({ distinct }) => distinct.toLocaleString("en-US")),
      levels.map(({ question }) => question),
      levels.map(({ solution, longest }) => `${solution} (${longest})`),
    ];
    expect(guide.split("\n").find((line) => line.startsWith(`| ${name} |`))).toContain(
      ` | ${figures.map((column) => column.join(" / ")).join(" | ")} |`,
    );
  }
  for (const { guess, constant, distinct } of table) {
    expect(guess).toBeLessThan(0.35);
    expect(constant).toBeLessThan(0.35);
    expect(distinct).toBeGreaterThan(INSTANCES / 2);
  }
}, 180_000);

describe("any text at all", () => {
  const instances = cases.map(({ task, level }) => ({ task, instance: task.generate(Random.seeded(3), level) }));
  const symbol = fc.constantFrom(..."()[]{}<>+-*/TFABC0123456789 _\n,.".split(""), "</answer>", "<answer>", "</think>", "none", "end");
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.array(symbol, { maxLength: 60 }).map((parts) => parts.join("")),
  );

  test("is judged without throwing", () => {
    fc.assert(
      fc.property(text, (answer) => {
        for (const { task, instance } of instances) {
          const right = task.verify(instance, answer);
          expect(typeof right).toBe("boolean");
          const { formatted, correct } = judge(task, instance, answer);
          expect(correct && !formatted).toBe(false);
          if (!answer.includes("</answer>")) {
            expect(judge(task, instance, `</think><answer>${answer}</answer>`)).toEqual({ formatted: true, correct: right });
          }
        }
      }),
    );
  });

  const length = 50_000;
  const huge = [
    " ",
    "(",
    "( ",
    ")",
    "1 ",
    "9",
    "1+",
    "A",
    "A T ",
    ",",
    "\u{1F600}",
    "<answer>",
    "</think>",
    "</think><answer>",
    "<answer></answer>",
    "\n\t",
  ].map((unit) => unit.repeat(length / unit.length));

  test("of 50,000 characters is judged in linear time", () => {
    const began = performance.now();
    for (const { task, instance } of instances) {
      for (const answer of huge) {
        expect(task.verify(instance, answer)).toBe(false);
        expect(judge(task, instance, `</think><answer>${answer}`).correct).toBe(false);
        expect(judge(task, instance, `</think><answer>${answer}x</answer>`).correct).toBe(false);
      }
    }
    // Some 2,000 texts of 50,000 characters: quadratic time would take an hour.
    expect(performance.now() - began).toBeLessThan(60_000);
  });
});

describe("responses", () => {
  test("parseResponse inverts formatResponse", () => {
    const inner = fc.string().filter((text) => !/<\/?(think|answer)>/.test(text));
    fc.assert(
      fc.property(inner, inner, (thinking, answer) => {
        expect(parseResponse(formatResponse({ thinking, answer }))).toBe(answer.trim());
      }),
    );
  });

  test("have the format of supervised training", () => {
    expect(formatResponse({ thinking: "1 + 1\n= 2", answer: "2" })).toBe("<think>\n1 + 1\n= 2\n</think>\n<answer>2</answer>");
  });

  test.each([
    ["", undefined],
    ["<answer>1</answer>", undefined],
    ["<think>1<answer>1</answer>", undefined],
    ["<answer>1</answer></think>", undefined],
    ["</think><answer>1", undefined],
    ["</think>1</answer>", undefined],
    ["</think></answer><answer>1", undefined],
    ["</think><answer></answer>", ""],
    ["</think><answer>1</answer><answer>2</answer>", "1"],
    ["<answer>0</answer></think>so <answer>\n 1\n2 </answer> !", "1\n2"],
    ["</think></think><answer>1</answer></think><answer>2</answer>", "1"],
    ["</think><answer><answer>1</answer></answer>", "<answer>1"],
  ])("%j has the answer %j", (response, answer) => {
    expect(parseResponse(response)).toBe(answer);
  });

  test("a right answer without its format is not correct", () => {
    const instance = { expression: "1 + 1" };
    const task = tasks.find(({ name }) => name === "arithmetic-chain")!;
    expect(judge(task, instance, "</think><answer>2</answer>")).toEqual({ formatted: true, correct: true });
    expect(judge(task, instance, "</think><answer>3</answer>")).toEqual({ formatted: true, correct: false });
    expect(judge(task, instance, "<answer>2</answer>")).toEqual({ formatted: false, correct: false });
  });
});

test.each(allTasks.map((task) => [task.name, task] as const))("%s: levels are integers from 1", (name, task) => {
  for (const level of [0, task.levels + 1, 1.5, Number.NaN]) {
    expect(() => task.generate(Random.seeded(0), level)).toThrow(facts(`${name}: level: …1…${task.levels}…${level}`));
  }
});

describe("puzzles on Latin squares", () => {
  const squares = new Map([3, 4].map((size) => [size, latinAnswers(size)]));
  const latin = named.filter(([, { name }]) => ["futoshiki", "skyscraper", "calcudoko"].includes(name));
  const sizeOf = (task: Task, level: number) => (task.name === "skyscraper" && level < 3 ? 3 : 4);

  test("there are 12 squares of size 3 and 576 of size 4", () => {
    expect([...squares.values()].map((all) => new Set(all).size)).toEqual([12, 576]);
  });

  test.each(latin)("%s: the solution is unique, and all squares are drawn", (_, task, level) => {
    const size = sizeOf(task, level);
    for (const { question, solution } of solved(task, level, 40)) {
      const right = squares.get(size)!.filter((answer) => oracle(task.name)(question, answer));
      expect(right).toEqual([solution.answer.replaceAll("\n", " ")]);
    }
    const distinct = new Set(solved(task, level, INSTANCES).map(({ solution }) => solution.answer));
    // 2,000 uniform draws miss one of 576 squares with a probability of 0.03, so about 558 are expected.
    expect(distinct.size).toBeGreaterThan(0.85 * squares.get(size)!.length);
  });

  test.each(latin.filter(([name]) => name !== "futoshiki 3"))("%s: rows and columns alone leave several solutions", (_, task, level) => {
    const size = sizeOf(task, level);
    for (const { question, solution } of solved(task, level, 100)) {
      const views = task.name === "skyscraper" ? 1 : 0;
      const rows = question
        .split("\n")
        .slice(-size - views)
        .slice(0, size);
      const shown = rows.flatMap((row) => row.split(" ").slice(views, size + views));
      const fits = (answer: string) => answer.split(" ").every((digit, cell) => !/\d/.test(shown[cell]!) || digit === shown[cell]);
      const right = squares.get(size)!.filter(fits);
      expect(right).toContain(solution.answer.replaceAll("\n", " "));
      expect(right.length).toBeGreaterThan(1);
    }
  });
});

describe("the steps of solutions are true", () => {
  test.each(cases.filter(({ task }) => task.name === "arithmetic-chain"))(
    "arithmetic-chain $level: all lines are equal",
    ({ task, level }) => {
      for (const instance of draw(task, level, 300)) {
        const { thinking, answer } = task.solve(instance);
        expect(thinking.split("\n= ").map(compute)).toEqual(thinking.split("\n= ").map(() => Number(answer)));
        expect(thinking.match(/\d+/g)!.every((number) => Number(number) <= 20)).toBe(true);
      }
    },
  );

  test.each(cases.filter(({ task }) => task.name === "number-target"))("number-target $level: equations hold", ({ task, level }) => {
    for (const instance of draw(task, level, 300)) {
      for (const [, left, right] of task.solve(instance).thinking.matchAll(/(\d+ [-+*/] \d+) = (\S+)/g)) {
        const value = compute(left!);
        expect(right).toBe(Number.isInteger(value) && value >= 0 && value < 100 ? String(value) : "x");
      }
    }
  });

  test.each(cases.filter(({ task }) => task.name === "boolean-expression"))(
    "boolean-expression $level: reductions keep the value",
    ({ task, level }) => {
      for (const instance of draw(task, level, 300)) {
        for (const line of task.solve(instance).thinking.split("\n")) {
          expect(new Set(line.slice(4).split(" = ").map(truth)).size).toBe(1);
        }
      }
    },
  );
});

describe("faults of SynLogic's verifiers and generators that are avoided", () => {
  test("number-target: the value must be the target, and every number must be used", () => {
    const verify = (answer: string, numbers = [1, 2, 3, 4], target = 24) => numberTarget.verify({ numbers, target }, answer);
    expect(verify("1 * 2 * 3 * 4")).toBe(true);
    expect(verify("(4*(3*2))/1")).toBe(true);
    expect(verify("1 + 2 + 3 + 4")).toBe(false);
    expect(verify("4 * 3 * 2")).toBe(false);
    expect(verify("4 * 3 * 2 * 1 * 1")).toBe(false);
    expect(verify("24")).toBe(false);
    expect(verify("12 * ( 3 - 4 + 3 )")).toBe(false);
    expect(verify("( 1 + 3 ) * ( 2 + 4 )")).toBe(true);
    expect(verify("8 / ( 3 - 8 / 3 )", [3, 3, 8, 8])).toBe(true);
  });

  test("number-target: ** and // and code are rejected", () => {
    const verify = (answer: string, numbers: number[], target: number) => numberTarget.verify({ numbers, target }, answer);
    expect(verify("2 ** 4 + 3", [2, 3, 4], 19)).toBe(false);
    expect(verify("2 ** 4 + 3", [2, 3, 4], 11)).toBe(false);
    expect(verify("9 // 2 + 6", [2, 6, 9], 10)).toBe(false);
    expect(verify("9 + 1 /* 1 */", [1, 9], 10)).toBe(false);
    expect(verify("```python\n9 + 1\n```", [1, 9], 10)).toBe(false);
    expect(verify("9 + 1 = 10", [1, 9], 10)).toBe(false);
    expect(verify("--9 + 1", [1, 9], 10)).toBe(false);
    expect(verify("9 1 + 1", [1, 1, 9], 10)).toBe(false);
    expect(verify("9. + 1", [1, 9], 10)).toBe(false);
    expect(verify("( 9 + 1", [1, 9], 10)).toBe(false);
    expect(verify("9 + 1 )", [1, 9], 10)).toBe(false);
    expect(verify("", [1, 9], 10)).toBe(false);
  });

  test("number-target: division by zero is rejected, and fractions are exact", () => {
    expect(numberTarget.verify({ numbers: [1, 2, 2, 10], target: 10 }, "10 + 1 / ( 1 / ( 2 - 2 ) )")).toBe(false);
    expect(numberTarget.verify({ numbers: [1, 5, 5, 10], target: 10 }, "10 / ( 1 / ( 5 - 5 ) )")).toBe(false);
    expect(numberTarget.verify({ numbers: [1, 2, 2, 10], target: 10 }, "10 + ( 2 - 2 ) / 1")).toBe(true);
    expect(numberTarget.verify({ numbers: [1, 3, 3, 10], target: 10 }, "1 / 3 * 3 * 10")).toBe(true);
  });

  test('bracket-error: every instance has the right label; "none" occurs on every level; a sentence with the label is wrong', () => {
    const balanced = { brackets: [..."()[]"] };
    expect(bracketError.solve(balanced).answer).toBe("none");
    for (const answer of ["invalid", "valid", "correct", "None", "-1", "5", "none of these", ""]) {
      expect(bracketError.verify(balanced, answer)).toBe(false);
    }
    expect(bracketError.solve({ brackets: [..."()[("] }).answer).toBe("end");
    expect(bracketError.solve({ brackets: [..."())("] }).answer).toBe("3");
    expect(bracketError.solve({ brackets: [..."(]"] }).answer).toBe("2");
    expect(bracketError.verify({ brackets: [..."(]"] }, "2.0")).toBe(false);
    for (let level = 1; level <= bracketError.levels; level++) {
      const labels = [...draw(bracketError as Task, level)].map(
        (instance) => bracketError.solve(instance as { brackets: string[] }).answer,
      );
      const share = (label: string) => labels.filter((other) => other === label).length / labels.length;
      expect(labels.every((label) => /^(none|end|[1-9]\d?)$/.test(label))).toBe(true);
      for (const label of ["none", "end"]) expect(Math.abs(share(label) - 0.2)).toBeLessThan(0.04);
    }
  });

  test("boolean-expression: letters within prose are not options", () => {
    const instance = { options: ["T or F", "not T", "not F"] };
    for (const answer of ["A C", "C A", "A, C", "AC"]) expect(booleanExpression.verify(instance, answer)).toBe(true);
    for (const answer of ["A and C", "\\text{A C}", "A", "A B C", "A C C", "a c", "A C D", ""]) {
      expect(booleanExpression.verify(instance, answer)).toBe(false);
    }
  });

  test("web-of-lies: words are compared as a whole", () => {
    const instance = { known: { person: "A", honest: true }, statements: [{ speaker: "B", about: "A", honest: false }] };
    for (const answer of ["A T B F", "B F A T", "A T, B F"]) expect(webOfLies.verify(instance, answer)).toBe(true);
    for (const answer of ["A know B lie", "A T", "A T B T", "A T A T", "A T B F B F", "A T B F C T", "A B T F", "T F", "A True B False"]) {
      expect(webOfLies.verify(instance, answer)).toBe(false);
    }
  });

  test("word-sorting: order and number of words matter", () => {
    const instance = { words: ["BA", "AB", "CAB"], alphabet: "CABDEFGH" };
    for (const answer of ["CAB AB BA", "CAB, AB, BA"]) expect(wordSorting.verify(instance, answer)).toBe(true);
    for (const answer of ["AB BA CAB", "CAB AB", "CAB AB BA BA", "cab ab ba", "CABABBA"])
      expect(wordSorting.verify(instance, answer)).toBe(false);
  });

  test("sudoku: accepts exactly the valid completions of the clues", () => {
    const cells = [0, 0, 3, 4, 3, 4, 0, 0, 0, 0, 4, 3, 4, 3, 0, 0];
    expect(sudoku.verify({ cells }, "1 2 3 4\n3 4 1 2\n2 1 4 3\n4 3 2 1")).toBe(true);
    expect(sudoku.verify({ cells }, "2134 3421 1243 4312")).toBe(true);
    expect(sudoku.verify({ cells }, "1 2 3 4\n3 4 1 2\n2 1 4 3\n4 3 1 2")).toBe(false);
    expect(sudoku.verify({ cells }, "2 1 4 3\n4 3 2 1\n1 2 3 4\n3 4 1 2")).toBe(false);
    expect(sudoku.verify({ cells }, "((1,2,3,4),(3,4,1,2),(2,1,4,3),(4,3,2,1))")).toBe(false);
    expect(sudoku.verify({ cells }, "_ _ 3 4\n3 4 _ _\n_ _ 4 3\n4 3 _ _")).toBe(false);
  });
});
