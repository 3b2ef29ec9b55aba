// Problems for reinforcement learning from rows.

import { InputError } from "../../base/errors.js";
import { expectArgument, isObjectLike } from "../../base/options.js";
import { printed } from "../../base/printed.js";
import * as synlogic from "../../synlogic/index.js";
import { expectMethods } from "../arguments.js";
import type { Codec } from "../data/codec.js";
import type { Problem, ProblemSource } from "../data/problem.js";
import { expectRow } from "./expect-rows.js";
import { judgeRow, type Row } from "./task-rows.js";

/** Reward of a right response. A wrong response gets 0. */
const RIGHT = 1;

function rowProblem(row: Row, codec: Pick<Codec, "prompt">): Problem {
  return {
    prompt: codec.prompt(row.question),
    judge({ text }) {
      const { right } = judgeRow(row, text);
      // An undecided response must not enter the advantages, because it is unknown whether it is right.
      if (right === null) return null;
      const correct = right ? RIGHT : 0;
      return { correct: right, total: correct, components: { correct } };
    },
  };
}

/**
 * Creates a source of problems from rows. The reward is 1 for a right response and 0 for a wrong one. After the last row, the rows repeat.
 *
 * @param name name in metrics; unique among the sources of a run
 * @param codec encodes prompts; `chatCodec` creates one from a model's tokenizer and chat format
 * @throws {InputError} no rows
 */
export function rowSource(name: string, rows: readonly Row[], codec: Pick<Codec, "prompt">): ProblemSource {
  expectArgument("rowSource: rows", Array.isArray(rows) && rows.length > 0, "one or more rows", rows);
  for (const [i, row] of rows.entries()) expectRow(`rowSource: rows[${i}]`, row);
  expectMethods("rowSource: codec", codec, "a codec", ["prompt"]);
  return { name, problem: (index) => rowProblem(rows[index % rows.length]!, codec) };
}

/**
 * Creates one source of problems for each value of an attribute of difficulty, such as the size of the grid.
 *
 * `trainPolicy` measures a pass rate for each source. With the option `mixture`, it therefore prefers values at which the puzzles are
 * sometimes solved, but not always.
 *
 * @param task name of a published task
 * @param attribute one of the task's `attributes`, such as `n`
 * @param values the values, for example `[3, 4, 5]`
 * @param options `seed` (0), `level` (`easy`) and `language` (`en`) of the puzzles
 * @throws {InputError} an unknown task or attribute, or an invalid value
 */
export function attributeSources(
  task: string,
  attribute: string,
  values: readonly synlogic.ParameterValue[],
  codec: Pick<Codec, "prompt">,
  options: { seed?: number; level?: synlogic.Level; language?: synlogic.Language } = {},
): ProblemSource[] {
  const { attributes } = synlogic.taskNamed(task);
  expectMethods("attributeSources: codec", codec, "a codec", ["prompt"]);
  if (!attributes.includes(attribute)) {
    throw new InputError(`attributeSources: attribute: expected one of ${attributes.join(", ")} for ${task}, got ${printed(attribute)}`);
  }
  expectArgument("attributeSources: values", Array.isArray(values) && values.length > 0, "one or more values", values);
  expectArgument("attributeSources: options", isObjectLike(options), "{ seed, level, language }", options);
  const { seed = 0, ...rest } = options;
  return values.map((value) => {
    const generate = (index: number) => synlogic.generate(task, { ...rest, seed, first: index, [attribute]: value })[0]!;
    // Reports an invalid value now, not in the middle of a run.
    generate(0);
    return { name: `${task} ${attribute}=${value}`, problem: (index) => rowProblem(generate(index), codec) };
  });
}
