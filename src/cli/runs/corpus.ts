// The training corpus of a plan: texts for a new tokenizer, and the training and held-out data sets.

import { createHash } from "node:crypto";
import { dirname, resolve } from "node:path";
import { formatChat, InputError, type MiniMaxM1, type Tokenizer } from "../../index.js";
import { chatCodec, drawPuzzle, formatResponse, moreTasks, solutions, type Task, tasks } from "../../rl/index.js";
import { hasTarget } from "../../train/datasets.js";
import { encodeLongText } from "../../train/encode-documents.js";
import { splitRows, splitText } from "../../train/held-out-split.js";
import { type Dataset, type EncodedDocument, encodeRow, exampleDataset, type Row, streamOf, textDataset } from "../../train/index.js";
import type { TrainingPlan } from "../../train/training-plan.js";
import { isJsonl, type NamedFile, type ReadDataOptions, readRows, readTexts, yieldToEvents } from "../inputs/data-files.js";

export interface Corpus {
  /** The part of the data that determines the numbers of a run. */
  readonly identity: object;
  /** Texts from which the tokenizer of a new model is trained. Held-out data is excluded. */
  texts(): Iterable<string> | AsyncIterable<string>;
  /** Encodes the data sets. @throws {InputError} too few tokens */
  datasets(model: MiniMaxM1, tokenizer: Tokenizer): Promise<Datasets>;
}

export interface Datasets {
  readonly data: Dataset;
  /** Undefined if no data is held out. */
  readonly heldOut?: Dataset | undefined;
  /** Number of held-out documents. Undefined if `heldOut` has no fixed number of documents. */
  readonly documents?: number;
}

/**
 * Opens the training corpus that a plan names: task solutions, text files or JSONL rows.
 *
 * @param file path of the plan file: prefix of messages, and base of the plan's relative paths
 * @throws {InputError} unknown tasks, unreadable files or invalid rows
 */
export async function readCorpus(plan: TrainingPlan, file: string, options: ReadDataOptions): Promise<Corpus> {
  const { data } = plan;
  if ("tasks" in data) return taskCorpus(plan, chosenTasks(data.tasks, file), data.texts);
  const [key, paths] = "text" in data ? (["text", data.text] as const) : (["jsonl", data.jsonl] as const);
  const files = paths.map((path, i): NamedFile => {
    const full = resolve(dirname(file), path);
    return { path: full, where: `${file}: data.${key}.${i}: ${full}` };
  });
  if (key === "jsonl") return rowCorpus(plan, file, await readRows(files, options), options);
  for (const { path, where } of files) {
    if (isJsonl(path))
      options.onWarning?.(
        `${where}: the file is read as plain text, including JSON syntax. To train on its rows, name the file in data.jsonl.`,
      );
  }
  return textCorpus(plan, file, (await readTexts(files, "a text file", options)).join("\n"), options);
}

/** Derives the seed of held-out data from the seed of the plan. */
const heldOutSeed = (seed: number): number => (seed + 2) % 2 ** 32;

function taskCorpus({ data, seed }: TrainingPlan, chosen: readonly Task[], texts: number): Corpus {
  return {
    identity: { ...data, tasks: chosen.map(({ name }) => name) },
    /** Yields questions with their worked solutions. */
    *texts() {
      for (let i = 0; i < texts; i++) {
        const { task, instance } = drawPuzzle(streamOf(seed + 1, i), chosen, false);
        yield `user name=user\n${task.question(instance)}\nai name=assistant\n${formatResponse(task.solve(instance))}`;
      }
    },
    async datasets(model, tokenizer) {
      const codec = await chatCodec(tokenizer, (messages) => model.formatChat(messages));
      return { data: solutions(chosen, codec, { seed }), heldOut: solutions(chosen, codec, { seed: heldOutSeed(seed), heldOut: true }) };
    },
  };
}

function chosenTasks(names: "all" | readonly string[], file: string): readonly Task[] {
  if (names === "all") return tasks;
  const named = [...tasks, ...moreTasks];
  return names.map((name, i) => {
    const task = named.find((one) => one.name === name);
    if (task) return task;
    const known = named.map((one) => JSON.stringify(one.name)).join(", ");
    throw new InputError(`${file}: data.tasks.${i}: expected one of ${known}, got ${JSON.stringify(name)}`);
  });
}

/** Share of the data that is held out if the plan gives no fraction. Held-out text is taken from the end. */
const DEFAULT_HELD_OUT_FRACTION = 0.05;

function textCorpus({ seed, run, heldOut: measured }: TrainingPlan, file: string, text: string, { signal }: ReadDataOptions): Corpus {
  const fraction = measured?.fraction;
  const window = Math.max(...(run.windows.length > 0 ? run.windows.map(({ tokens }) => tokens) : [run.batchTokens]));
  const { training, heldOut } = fraction === undefined ? withoutEnd(text) : splitText(text, fraction, 2 * window);
  return {
    identity: { sha256: hash([text]), ...(fraction !== undefined && { heldOut: fraction }) },
    *texts() {
      for (const piece of training) yield* linesOf(piece);
    },
    async datasets(_, tokenizer) {
      const encode = async (pieces: readonly string[]) => {
        const encoded: Int32Array[] = [];
        for (const piece of pieces) encoded.push(await encodeLongText(tokenizer, piece, signal));
        return encoded;
      };
      const [own, tested] = [await encode(training), await encode(heldOut)];
      const most = (pieces: readonly Int32Array[]) => Math.max(0, ...pieces.map(({ length }) => length));
      if (most(own) < 2 || most(tested) < 2) {
        throw new InputError(
          `${file}: data.text: expected at least two tokens to train on and two held out, got ${most(own)} and ${most(tested)}. Use a longer text.`,
        );
      }
      return { data: textDataset(own, { seed }), heldOut: textDataset(tested, { seed: heldOutSeed(seed) }) };
    },
  };
}

/** Number of characters from which on a piece of text is passed to the tokenizer training at the next line end. */
const MAX_TOKENIZER_PIECE_CHARACTERS = 2 ** 20;

/** Splits a long text at line ends. Tokenizer training is unaffected, because its pieces never cross a line end. */
function* linesOf(text: string): Generator<string> {
  const end = /\n(?![\r\n])/g;
  let begin = 0;
  for (;;) {
    end.lastIndex = begin + MAX_TOKENIZER_PIECE_CHARACTERS;
    if (!end.test(text)) break;
    yield text.slice(begin, end.lastIndex);
    begin = end.lastIndex;
  }
  yield text.slice(begin);
}

/** Splits a text before its last {@link DEFAULT_HELD_OUT_FRACTION}, never within a surrogate pair. */
function withoutEnd(text: string): { readonly training: readonly string[]; readonly heldOut: readonly string[] } {
  let at = Math.floor(text.length * (1 - DEFAULT_HELD_OUT_FRACTION));
  if (/[\udc00-\udfff]/.test(text[at] ?? "")) at++;
  return { training: [text.slice(0, at)], heldOut: [text.slice(at)] };
}

/** Opens a corpus of JSONL rows. Rows are held out only if the plan evaluates held-out data. */
function rowCorpus(
  { seed, run, heldOut: measured }: TrainingPlan,
  file: string,
  rows: readonly Row[],
  { signal, onWarning }: ReadDataOptions,
): Corpus {
  const fraction = measured && (measured.fraction ?? DEFAULT_HELD_OUT_FRACTION);
  const { training, heldOut } = fraction === undefined ? { training: rows, heldOut: [] } : splitRows(rows, fraction, file);
  return {
    identity: { sha256: hash(rows.map(({ content }) => JSON.stringify(content))), ...(fraction !== undefined && { heldOut: fraction }) },
    async *texts() {
      for (const { where, content } of training) yield "text" in content ? content.text : await dialogue(content, where);
    },
    async datasets(model, tokenizer) {
      const encoding = { tokenizer, formatChat: model.formatChat.bind(model) };
      const encode = async (own: readonly Row[]) => {
        const encoded: EncodedDocument[] = [];
        for (const [i, row] of own.entries()) {
          encoded.push(...(await encodeRow(row, encoding, { signal })));
          if (i % 100 === 99) await yieldToEvents(signal);
        }
        return encoded;
      };
      const [own, tested] = [await encode(training), await encode(heldOut)];
      warnOfCuts([...own, ...tested], run, file, onWarning);
      const where = `${file}: data.jsonl`;
      return {
        data: exampleDataset(own, { seed, where }),
        heldOut: tested.length > 0 ? exampleDataset(tested, { seed: heldOutSeed(seed), where: `${where}: held out` }) : undefined,
        documents: tested.length,
      };
    },
  };
}

/** Formats a conversation as text without a tokenizer, because the model's own tokenizer is not trained yet. */
async function dialogue({ messages, tools }: Exclude<Row["content"], { text: string }>, where: string): Promise<string> {
  try {
    return await formatChat(messages, { addGenerationPrompt: false, ...(tools && { tools }) });
  } catch (cause) {
    if (cause instanceof InputError) throw new InputError(`${where}: ${cause.message}`, { cause });
    throw cause;
  }
}

/** Warns about documents that are truncated by every window, or that have no target within the smallest window. */
function warnOfCuts(
  documents: readonly EncodedDocument[],
  run: TrainingPlan["run"],
  file: string,
  onWarning: ReadDataOptions["onWarning"],
): void {
  const { batchTokens, windows } = run;
  const stages = [...(windows[0]?.from === 0 ? [] : [batchTokens]), ...windows.map(({ tokens }) => tokens)];
  const [least, most] = [Math.min(...stages), Math.max(...stages)];
  const cut = documents.filter(({ ids, plain }) => !plain && ids.length > most).length;
  const empty = documents.filter((document) => !hasTarget(document, least)).length;
  const tokens = (count: number) => `${count.toLocaleString("en-US")} tokens`;
  const of = `of ${documents.length.toLocaleString("en-US")} documents`;
  if (cut > 0) onWarning?.(`${file}: data.jsonl: ${cut} ${of} are longer than the largest window (${tokens(most)}) and will be truncated`);
  if (empty > 0)
    onWarning?.(`${file}: data.jsonl: ${empty} ${of} have no target within the smallest window (${tokens(least)}) and are left out there`);
}

function hash(texts: Iterable<string>): string {
  const sha256 = createHash("sha256");
  for (const text of texts) sha256.update(text);
  return sha256.digest("hex");
}
