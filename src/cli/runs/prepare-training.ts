import { dirname, resolve } from "node:path";
import { InputError, MiniMaxM1, Tokenizer } from "../../index.js";
import type { RunIdentity } from "../../node-entry/run-directory.js";
import { startTokenizerTraining } from "../../train/tokenizer-training.js";
import type { TrainingPlan } from "../../train/training-plan.js";
import { yieldToEvents } from "../inputs/data-files.js";
import { type Corpus, type Datasets, readCorpus } from "./corpus.js";
import type { PrepareOptions } from "./train-in-directory.js";

/** The model and data of a training run. They depend only on the plan and on the files that it names. */
export interface PreparedTraining extends Datasets {
  readonly model: MiniMaxM1;
  readonly identity: RunIdentity;
}

/**
 * Creates or loads the model of a plan, and its data sets.
 *
 * @param file path of the plan file: prefix of messages, and base of the plan's relative paths
 * @throws {LightningError} unknown tasks, unreadable files, or a model that cannot be created or loaded
 */
export async function prepareTraining(plan: TrainingPlan, file: string, options: PrepareOptions): Promise<PreparedTraining> {
  const { seed, build, trainer } = plan;
  const { steps: _, ...course } = plan.run;
  const corpus = await readCorpus(plan, file, options);
  const model = await makeModel(plan, file, corpus, options);
  try {
    const { tokenizer } = model;
    if (!tokenizer) throw new InputError(`${file}: model: expected a checkpoint with a tokenizer, got none`);
    const identity = { model: plan.model, tokenizer: plan.tokenizer, data: corpus.identity, seed, build, trainer, run: course };
    return { model, identity, ...(await corpus.datasets(model, tokenizer)) };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

async function makeModel(plan: TrainingPlan, file: string, corpus: Corpus, options: PrepareOptions): Promise<MiniMaxM1> {
  const { model, tokenizer, seed, build } = plan;
  if (typeof model === "string") return MiniMaxM1.load(resolve(dirname(file), model), { ...options, dtype: "f32", build });
  const files = await learnTokenizer(corpus, tokenizer!, options);
  const json = (name: string) => JSON.parse(new TextDecoder().decode(files.get(name)));
  const { vocabSize, bosId, eosId } = await Tokenizer.fromFiles({
    tokenizerJson: json("tokenizer.json"),
    tokenizerConfig: json("tokenizer_config.json"),
  });
  const { threads, onWarning } = options;
  const config = { ...model, vocab_size: vocabSize, bos_token_id: bosId, eos_token_id: eosId };
  return MiniMaxM1.create(config, { seed, files, build, threads, onWarning });
}

/** Number of characters between two checks of the signal. */
const CHARACTERS_PER_YIELD = 2 ** 18;

async function learnTokenizer(corpus: Corpus, options: NonNullable<TrainingPlan["tokenizer"]>, { signal }: PrepareOptions) {
  const training = startTokenizerTraining(options);
  let characters = 0;
  for await (const text of corpus.texts()) {
    training.push(text);
    characters += text.length;
    if (characters < CHARACTERS_PER_YIELD) continue;
    characters = 0;
    await yieldToEvents(signal);
  }
  return training.end();
}
