import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { InputError, MiniMaxM1, Tokenizer } from "../index.js";
import { chatCodec, drawPuzzle, formatResponse, solutions, type Task, tasks } from "../rl/index.js";
import { type Dataset, streamOf, textDataset, trainTokenizer } from "../train/index.js";
import type { Plan } from "../train/plan.js";
import type { Identity } from "./run-directory.js";
import { whyUnread } from "./terminal.js";
import type { LoadOptions } from "./training-run.js";

/** What a training needs, made from its plan and nothing else. */
export interface Preparation {
  readonly model: MiniMaxM1;
  readonly data: Dataset;
  readonly heldOut: Dataset;
  readonly identity: Identity;
}

/** Of a text, the share at its end that is held out. */
const HELD_OUT = 0.05;

/**
 * @param file the plan's file, for messages; its paths count from there
 * @throws {LightningError} tasks that do not exist, files that cannot be read, a model that cannot be made or loaded
 */
export async function prepare(plan: Plan, file: string, options: LoadOptions): Promise<Preparation> {
  const { data, seed, build, trainer } = plan;
  const { steps: _, ...course } = plan.run;
  const corpus = "text" in data ? await readText(data.text, file) : chosenTasks(data.tasks, file);
  const model = await makeModel(plan, file, corpus, options);
  try {
    const { tokenizer } = model;
    if (!tokenizer) throw new InputError(`${file}: model: expected a checkpoint with a tokenizer, got none`);
    const identity = {
      model: plan.model,
      tokenizer: plan.tokenizer,
      data: typeof corpus === "string" ? { sha256: hash(corpus) } : { ...data, tasks: corpus.map(({ name }) => name) },
      ...{ seed, build, trainer, run: course },
    };
    const held = (seed + 2) % 2 ** 32;
    if (typeof corpus === "string") {
      const [learned, tested] = split(corpus).map((text) => tokenizer.encode(text)) as [number[], number[]];
      if (learned.length < 2 || tested.length < 2) {
        throw new InputError(
          `${file}: data.text: expected two tokens to learn from and two to hold out, got ${learned.length} and ${tested.length} (a longer text)`,
        );
      }
      return { model, identity, data: textDataset(learned, { seed }), heldOut: textDataset(tested, { seed: held }) };
    }
    const codec = await chatCodec(tokenizer, (messages) => model.formatChat(messages));
    return { model, identity, data: solutions(corpus, codec, { seed }), heldOut: solutions(corpus, codec, { seed: held, heldOut: true }) };
  } catch (error) {
    model.dispose();
    throw error;
  }
}

async function makeModel(plan: Plan, file: string, corpus: string | readonly Task[], options: LoadOptions): Promise<MiniMaxM1> {
  const { model, tokenizer, seed, build, data } = plan;
  if (typeof model === "string") return MiniMaxM1.load(resolve(dirname(file), model), { ...options, dtype: "f32", build });
  const texts = typeof corpus === "string" ? [split(corpus)[0]] : dialogues(corpus, seed, "texts" in data ? data.texts : 0);
  const files = trainTokenizer(texts, tokenizer!);
  const json = (name: string) => JSON.parse(new TextDecoder().decode(files.get(name)));
  const { vocabSize, bosId, eosId } = await Tokenizer.fromFiles({
    tokenizerJson: json("tokenizer.json"),
    tokenizerConfig: json("tokenizer_config.json"),
  });
  const { threads, onWarning } = options;
  const config = { ...model, vocab_size: vocabSize, bos_token_id: bosId, eos_token_id: eosId };
  return MiniMaxM1.create(config, { seed, files, build, threads, onWarning });
}

/** Questions with their worked solutions, as a tokenizer gets to see them. */
function* dialogues(chosen: readonly Task[], seed: number, texts: number): Generator<string> {
  for (let i = 0; i < texts; i++) {
    const { task, instance } = drawPuzzle(streamOf(seed + 1, i), chosen, false);
    yield `user name=user\n${task.question(instance)}\nai name=assistant\n${formatResponse(task.solve(instance))}`;
  }
}

function chosenTasks(names: "all" | readonly string[], file: string): readonly Task[] {
  if (names === "all") return tasks;
  return names.map((name, i) => {
    const task = tasks.find((one) => one.name === name);
    if (task) return task;
    const known = tasks.map((one) => JSON.stringify(one.name)).join(", ");
    throw new InputError(`${file}: data.tasks.${i}: expected one of ${known}, got ${JSON.stringify(name)}`);
  });
}

async function readText(paths: readonly string[], file: string): Promise<string> {
  const texts = paths.map(async (path, i) => {
    const where = `${file}: data.text.${i}: ${resolve(dirname(file), path)}`;
    const bytes = await readFile(resolve(dirname(file), path)).catch((cause: unknown) => {
      throw new InputError(`${where}: expected a text file, got ${whyUnread(cause)}`, { cause });
    });
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch (cause) {
      throw new InputError(`${where}: expected UTF-8 text, got other bytes`, { cause });
    }
  });
  return (await Promise.all(texts)).join("\n");
}

/** A text without its end, and its end; no character is cut. */
function split(text: string): readonly [string, string] {
  let at = Math.floor(text.length * (1 - HELD_OUT));
  if (/[\udc00-\udfff]/.test(text[at] ?? "")) at++;
  return [text.slice(0, at), text.slice(at)];
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
