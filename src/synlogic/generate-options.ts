import * as v from "valibot";
import { InputError } from "../base/errors.js";
import { number, oneOf, parseOptions, SEED_LIMIT, seedNumber } from "../base/options.js";
import { printedJson } from "../base/printed.js";
import { LEVELS, type Level, type Parameter, type Parameters, type ParameterValue, type SynlogicTask } from "./definition.js";
import type { Language } from "./row.js";

/** Maximum number of rows per call, because all of them are in memory at the same time. */
const MAX_COUNT = 1_000_000;

/** Options that select the puzzles to generate. All other keys are parameters of the task, under their published names. */
export interface GenerateOptions {
  /** Seed of the sequence of puzzles (1). */
  readonly seed?: number | undefined;
  /** Index of the first puzzle within the sequence of the seed (0). Must be below 2^32. */
  readonly first?: number | undefined;
  /** Number of puzzles (1), at most one million. To generate more, call again with a larger `first`. */
  readonly count?: number | undefined;
  /** The level ("easy"). It sets all parameters that are not given. */
  readonly level?: Level | undefined;
  /** Language of the questions. The default is "en", or the only language of the task. */
  readonly language?: Language | undefined;
  readonly [parameter: string]: ParameterValue | undefined;
}

/** Schema of the options that select a range of puzzles. */
export const rangeOptions = {
  seed: v.optional(seedNumber, 1),
  first: v.optional(integerBelow(SEED_LIMIT), 0),
  count: v.optional(integerBelow(MAX_COUNT + 1), 1),
};

/** Validates the options and fills in the defaults. @throws {InputError} an unknown option or an invalid value */
export function generateOptions(task: SynlogicTask, options: GenerateOptions) {
  const parameters = Object.entries(task.parameters).map(([name, parameter]) => [name, v.optional(parameterSchema(parameter))] as const);
  const schema = v.strictObject({
    ...Object.fromEntries(parameters),
    ...rangeOptions,
    level: v.optional(oneOf(...LEVELS), "easy"),
    language: v.optional(oneOf(...task.languages), task.languages[0]!),
  });
  return parseOptions(schema, options, `synlogic.generate(${JSON.stringify(task.name)})`) as {
    seed: number;
    first: number;
    count: number;
    level: Level;
    language: Language;
    [parameter: string]: ParameterValue;
  };
}

/** Returns the parameters of a level, with the given ones replaced. */
export function completeParameters(task: SynlogicTask, level: Level, given: Partial<Parameters>): Parameters {
  const levelParameters = task.levels[level];
  if (!levelParameters) throw new InputError(`${task.name}: level: expected one of ${LEVELS.join(", ")}, got ${printedJson(level)}`);
  const defined = Object.entries(given).filter((entry): entry is [string, ParameterValue] => entry[1] !== undefined);
  return { ...levelParameters, ...Object.fromEntries(defined) };
}

function integerBelow(limit: number) {
  return number(`an integer within [0, ${limit - 1}]`, (x) => Number.isInteger(x) && x >= 0 && x < limit);
}

function parameterSchema(parameter: Parameter) {
  switch (parameter.kind) {
    case "flag":
      return expecting("true or false", (x) => typeof x === "boolean");
    case "choice":
      return expecting(`one of ${parameter.choices.join(", ")}`, (x) => (parameter.choices as readonly unknown[]).includes(x));
    case "list": {
      const fits = parameter.of === "integer" ? Number.isSafeInteger : (x: unknown) => typeof x === "string";
      const expected = `a list of one or more ${parameter.of === "integer" ? "integers" : "strings"}`;
      return expecting(expected, (x) => Array.isArray(x) && x.length > 0 && x.every(fits));
    }
    default: {
      const { kind, least, most } = parameter;
      const fits = kind === "integer" ? Number.isSafeInteger : Number.isFinite;
      return expecting(
        `${kind === "integer" ? "an integer" : "a number"} within [${least}, ${most}]`,
        (x) => fits(x) && (x as number) >= least && (x as number) <= most,
      );
    }
  }
}

function expecting(expected: string, fits: (value: unknown) => boolean) {
  return v.custom<ParameterValue>(fits, expected);
}
