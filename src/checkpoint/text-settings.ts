import { CheckpointError } from "../base/errors.js";
import { decodeJson, decodeText, isObject } from "../base/json.js";
import { TOOL_TEMPLATE_FILE } from "../io/checkpoint-files.js";
import { Tokenizer, type TokenizerFiles } from "../text/tokenizer.js";

/** The files of a tokenizer: either the first file alone, or the other two together. */
export const TOKENIZER_FILES = ["tokenizer.json", "vocab.json", "merges.txt"] as const;

/** Returns whether a tokenizer can be created. @param exists for each of `TOKENIZER_FILES`, whether the file exists */
export function hasTokenizerFiles([tokenizerJson, vocab, merges]: readonly boolean[]): boolean {
  return Boolean(tokenizerJson || (vocab && merges));
}

/** Tokenizer, chat templates and end-of-sequence ids from the text files of a checkpoint. */
export interface TextSettings {
  /** Undefined for a checkpoint without tokenizer files. */
  readonly tokenizer: Tokenizer | undefined;
  /** The chat template (Jinja) of the checkpoint. If it is undefined, MiniMax-M1's published format is used. */
  readonly chatTemplate: string | undefined;
  /** A separate chat template for conversations with tools, if the checkpoint has one. */
  readonly toolTemplate: string | undefined;
  /** Special tokens by their names in templates, such as `bos_token`. */
  readonly templateVariables: Readonly<Record<string, string>>;
  /** End-of-sequence ids of generation_config.json, in addition to those of config.json. */
  readonly eosIds: readonly number[];
}

/**
 * Reads the tokenizer, the chat templates and the end-of-sequence ids of a checkpoint.
 *
 * @param files contents by name, as in {@link Checkpoint.files}
 * @throws {CheckpointError} a damaged file, or files that contradict each other
 */
export async function readTextSettings(files: ReadonlyMap<string, Uint8Array>): Promise<TextSettings> {
  const tokenizerFiles = readTokenizerFiles(files);
  const tokenizerConfig = readJson(files, "tokenizer_config.json");
  return {
    tokenizer: tokenizerFiles && (await Tokenizer.fromFiles(tokenizerFiles)),
    ...readTemplates(
      readText(files, "chat_template.jinja"),
      readText(files, TOOL_TEMPLATE_FILE),
      readJson(files, "chat_template.json"),
      tokenizerConfig,
    ),
    templateVariables: specialTokens(tokenizerConfig),
    eosIds: readEosIds(readJson(files, "generation_config.json")),
  };
}

/** Parses the files of the tokenizer. Returns undefined if the checkpoint has none. @throws {CheckpointError} a damaged file */
export function readTokenizerFiles(files: ReadonlyMap<string, Uint8Array>): TokenizerFiles | undefined {
  const given = {
    tokenizerJson: readJson(files, "tokenizer.json"),
    vocab: readJson(files, "vocab.json"),
    merges: readText(files, "merges.txt"),
    tokenizerConfig: readJson(files, "tokenizer_config.json"),
    specialTokensMap: readJson(files, "special_tokens_map.json"),
    addedTokens: readJson(files, "added_tokens.json"),
  };
  return hasTokenizerFiles(TOKENIZER_FILES.map((name) => files.has(name))) ? given : undefined;
}

function readJson(files: ReadonlyMap<string, Uint8Array>, name: string): unknown {
  return files.has(name) ? decodeJson(files.get(name)!, name, { nonFinite: true }) : undefined;
}

function readText(files: ReadonlyMap<string, Uint8Array>, name: string): string | undefined {
  return files.has(name) ? decodeText(files.get(name)!, name) : undefined;
}

/**
 * Returns the templates that transformers would use. They come from `chat_template.jinja` or, if that file is missing, from the first JSON
 * file with templates.
 */
function readTemplates(
  file: string | undefined,
  toolFile: string | undefined,
  ...configs: readonly unknown[]
): Pick<TextSettings, "chatTemplate" | "toolTemplate"> {
  if (file !== undefined) return { chatTemplate: file, toolTemplate: toolFile };
  const named = configs.map(namedTemplates).find(({ size }) => size > 0);
  return { chatTemplate: named?.get("default"), toolTemplate: toolFile ?? named?.get("tool_use") };
}

/** Returns templates by name. `chat_template` may be one template, a list of `{ name, template }`, or an object of templates by name. */
function namedTemplates(config: unknown): Map<string, string> {
  const template = isObject(config) ? config.chat_template : undefined;
  const entries: [unknown, unknown][] = Array.isArray(template)
    ? template.filter(isObject).map(({ name, template }) => [name, template])
    : isObject(template)
      ? Object.entries(template)
      : [["default", template]];
  return new Map(entries.filter((entry): entry is [string, string] => entry.every((part) => typeof part === "string")));
}

/** Returns special tokens such as `bos_token`. Each token is stored as a string, or as an object with the string in `content`. */
function specialTokens(config: unknown): Record<string, string> {
  const entries = isObject(config) ? Object.entries(config).filter(([name]) => /^(bos|eos|unk|pad|sep|cls|mask)_token$/.test(name)) : [];
  const tokens = entries.map(([name, value]) => [name, isObject(value) ? value.content : value]);
  return Object.fromEntries(tokens.filter(([, token]) => typeof token === "string"));
}

function readEosIds(config: unknown): number[] {
  const ids = isObject(config) ? [config.eos_token_id ?? []].flat() : [];
  const wrong = ids.find((id) => !Number.isInteger(id) || (id as number) < 0);
  if (wrong !== undefined) {
    throw new CheckpointError(`generation_config.json: eos_token_id: expected token ids, got ${JSON.stringify(wrong)}`);
  }
  return ids as number[];
}
