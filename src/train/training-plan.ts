import * as v from "valibot";
import { InputError } from "../base/errors.js";
import { decodeJson, isObject } from "../base/json.js";
import { count, number, oneOf, parseOptions, seedNumber, text } from "../base/options.js";
import { heldOutDocuments, runSchema } from "./run.js";
import { tokenizerSchema } from "./tokenizer-training.js";
import { trainerSchema } from "./trainer-options.js";

/** Keys that the configuration of a new model must not contain, because the tokenizer determines them. */
const TOKENIZER_KEYS = ["vocab_size", "bos_token_id", "eos_token_id"] as const;

const paths = (what: string) => v.optional(v.pipe(v.array(text, what), v.nonEmpty(what)));

const planSchema = v.strictObject({
  model: v.custom<string | Readonly<Record<string, unknown>>>(
    (x) => (typeof x === "string" && x !== "") || isObject(x),
    "the JSON of a configuration, or the path of a checkpoint",
  ),
  tokenizer: v.optional(tokenizerSchema),
  data: v.strictObject({
    tasks: v.optional(
      v.union(
        [v.literal("all"), v.pipe(v.array(text, "the names of tasks"), v.nonEmpty("the names of tasks"))],
        '"all" or the names of tasks',
      ),
    ),
    texts: v.optional(count),
    text: paths("paths of text files"),
    jsonl: paths("paths of JSONL files"),
  }),
  seed: v.optional(seedNumber, 0),
  build: v.optional(oneOf("auto", "simd", "relaxed", "debug"), "auto"),
  trainer: v.optional(v.omit(trainerSchema, ["decays"]), {}),
  run: v.omit(runSchema, ["heldOut", "signal"]),
  heldOut: v.optional(
    v.strictObject({
      documents: heldOutDocuments,
      every: count,
      fraction: v.optional(number("a number above 0 and below 1", (x) => x > 0 && x < 1)),
    }),
  ),
  save: v.optional(v.strictObject({ every: v.optional(count, 100) }), {}),
});

/** Training data: worked solutions of tasks, text files, or JSONL files. For tasks, it includes the number of texts for the tokenizer. */
export type PlannedData =
  | { readonly tasks: "all" | readonly string[]; readonly texts: number }
  | { readonly text: readonly string[] }
  | { readonly jsonl: readonly string[] };

/** A training run as described by a JSON file. Paths are as in the file. */
export type TrainingPlan = Omit<v.InferOutput<typeof planSchema>, "data"> & { readonly data: PlannedData };

/**
 * Parses a training plan.
 *
 * @param where name of the file, for messages
 * @throws {CheckpointError} bytes that are not JSON
 * @throws {InputError} unknown keys, invalid values, or inconsistent keys
 */
export function parseTrainingPlan(bytes: Uint8Array, where: string): TrainingPlan {
  const { data: given, ...plan } = parseOptions(planSchema, decodeJson(bytes, where), where);
  const { model, tokenizer } = plan;
  if (typeof model === "string" && tokenizer) {
    throw new InputError(`${where}: tokenizer: allowed for a new model only, because a checkpoint has its own (remove tokenizer)`);
  }
  if (typeof model === "object") {
    const decided = TOKENIZER_KEYS.find((key) => key in model);
    if (decided)
      throw new InputError(`${where}: model.${decided}: not allowed, because the tokenizer determines it (remove model.${decided})`);
    if (!tokenizer) throw new InputError(`${where}: tokenizer: expected { "vocabSize": … } for a new model, got none`);
  }
  const data = parseData(given, where);
  if ("tasks" in data && plan.heldOut?.fraction !== undefined) {
    throw new InputError(
      `${where}: heldOut.fraction: not allowed with data.tasks, got ${plan.heldOut.fraction} (remove it: an eighth of the puzzles is always held out)`,
    );
  }
  return { ...plan, data };
}

function parseData({ texts, ...sources }: v.InferOutput<typeof planSchema>["data"], where: string): PlannedData {
  const { tasks, text, jsonl } = sources;
  const given = Object.keys(sources).filter((key) => sources[key as keyof typeof sources] !== undefined);
  if (given.length !== 1) {
    const got = given.length === 0 ? "none" : given.join(" and ");
    throw new InputError(`${where}: data: expected one of tasks, text and jsonl, got ${got}`);
  }
  if (tasks) return { tasks, texts: texts ?? 8000 };
  if (texts !== undefined)
    throw new InputError(`${where}: data.texts: allowed with data.tasks only, got ${texts} with data.${given[0]} (remove data.texts)`);
  return text ? { text } : { jsonl: jsonl! };
}
