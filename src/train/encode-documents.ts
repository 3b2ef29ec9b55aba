// Records and long texts → token ids, and which of them are targets.

import { InputError } from "../base/errors.js";
import { yieldToEventLoop } from "../base/event-loop.js";
import { expectArgument, isObjectLike } from "../base/options.js";
import type { ChatOptions } from "../text/format-chat.js";
import type { Tokenizer } from "../text/tokenizer.js";
import type { LearnedMessage, Row, RowContent } from "./jsonl-rows.js";

/** How texts and conversations become tokens: those of a model, for example. */
export interface ChatEncoding {
  readonly tokenizer: Tokenizer;
  /** As `model.formatChat` does. */
  formatChat(messages: readonly LearnedMessage[], options?: ChatOptions): Promise<string>;
}

/** A document with the number of bytes that its targets stand for, without special tokens. */
export interface EncodedDocument {
  readonly ids: Int32Array;
  /** 1 for every target, 0 for what is only read; the first token is predicted by nothing, whatever its weight. */
  readonly weights: Uint8Array;
  readonly targetBytes: number;
  /** Whether any part of it is as good as its beginning: a text, whose tokens are all targets. */
  readonly plain: boolean;
}

/**
 * The documents of a row. A text is its tokens and, with `end`, the end-of-sequence token; all are targets. A conversation is written in the model's chat format: the targets are what
 * the assistant writes, each time with the end-of-sequence token; everything else is only read.
 *
 * A conversation is one document if its format writes earlier turns the same whatever follows. Otherwise, as in formats that leave out earlier reasoning, each of the
 * assistant's turns is a document of its own, after the prompt that a model would be given for it.
 *
 * @throws {InputError} messages that the format cannot write, or without anything to learn
 */
export async function encodeRow(
  row: Row,
  encoding: ChatEncoding,
  options: { readonly end?: boolean; readonly signal?: AbortSignal } = {},
): Promise<EncodedDocument[]> {
  const isRow = isObjectLike(row) && typeof row.where === "string" && isContent(row.content);
  expectArgument("encodeRow: row", isRow, "a row, as parseRows gives it", row);
  const isEncoding = isObjectLike(encoding) && isObjectLike(encoding.tokenizer) && typeof encoding.formatChat === "function";
  expectArgument("encodeRow: encoding", isEncoding, "{ tokenizer, formatChat }, as a model is with a tokenizer", encoding);
  expectArgument("encodeRow: options", isObjectLike(options), "an object", options);
  const { where, content } = row;
  const { tokenizer } = encoding;
  const { end = true, signal } = options;
  expectArgument("encodeRow: end", typeof end === "boolean", "true or false", end);
  try {
    if ("text" in content) return [await encodeText(tokenizer, content.text, end, signal)];
    const turns = await splitConversation(content.messages, content.tools ? { tools: content.tools } : {}, encoding);
    return turns.map((pieces) => encodePieces(pieces, tokenizer));
  } catch (cause) {
    if (cause instanceof InputError) throw new InputError(`${where}: ${cause.message}`, { cause });
    throw cause;
  }
}

function isContent(content: unknown): content is RowContent {
  if (!isObjectLike(content)) return false;
  if ("text" in content) return typeof content.text === "string";
  return "messages" in content && Array.isArray(content.messages);
}

async function encodeText(tokenizer: Tokenizer, text: string, end: boolean, signal?: AbortSignal): Promise<EncodedDocument> {
  const own = await encodeLongText(tokenizer, text, signal);
  const { eosId } = tokenizer;
  const marked = end && eosId !== undefined && own.at(-1) !== eosId;
  const ids = new Int32Array(own.length + Number(marked));
  ids.set(own);
  if (marked) ids[own.length] = eosId;
  return { ids, weights: new Uint8Array(ids.length).fill(1), targetBytes: utf8Bytes(text) - firstTokenBytes(tokenizer, own), plain: true };
}

/** A piece of a written conversation. */
interface ConversationPiece {
  readonly text: string;
  readonly isTarget: boolean;
}

/** The pieces of one document, or of several. */
async function splitConversation(
  messages: readonly LearnedMessage[],
  options: ChatOptions,
  encoding: ChatEncoding,
): Promise<ConversationPiece[][]> {
  const { tokenizer } = encoding;
  const { eosId } = tokenizer;
  const mark = eosId === undefined ? undefined : tokenizer.decode([eosId]);
  const turns: { readonly before: string; readonly answer: string; readonly weight: number }[] = [];
  for (const [i, message] of messages.entries()) {
    if (message?.role !== "assistant") continue;
    if (i === 0) throw new InputError("messages: expected one to answer before the assistant's, got none");
    const before = await encoding.formatChat(messages.slice(0, i), { ...options, addGenerationPrompt: true });
    const after = await encoding.formatChat(messages.slice(0, i + 1), { ...options, addGenerationPrompt: false });
    if (!after.startsWith(before)) {
      throw new InputError(`messages[${i}]: expected a chat template that writes the prompt of an answer as its beginning, got another`);
    }
    turns.push({ before, answer: untilEndToken(after.slice(before.length), mark), weight: message.weight ?? 1 });
  }
  // Messages that nobody answers are checked as well.
  const whole = await encoding.formatChat(messages, { ...options, addGenerationPrompt: false });
  if (!turns.some(({ weight }) => weight === 1)) {
    throw new InputError("messages: expected an assistant's message to learn, got none");
  }
  if (turns.every(({ before, answer }) => whole.startsWith(before + answer))) {
    let at = 0;
    const pieces = turns.flatMap(({ before, answer, weight }) => {
      const read = { text: before.slice(at), isTarget: false };
      at = before.length + answer.length;
      return [read, { text: answer, isTarget: weight === 1 }];
    });
    return [pieces];
  }
  return turns
    .filter(({ weight }) => weight === 1)
    .map(({ before, answer }) => [
      { text: before, isTarget: false },
      { text: answer, isTarget: true },
    ]);
}

/** What the assistant writes itself: up to the mark that ends its turn. */
function untilEndToken(text: string, mark: string | undefined): string {
  const at = mark === undefined ? -1 : text.lastIndexOf(mark);
  return at < 0 ? text : text.slice(0, at + mark!.length);
}

/** Encodes piece by piece, as prompt and answer are when a model generates. A learned piece always ends with the end-of-sequence token. */
function encodePieces(pieces: readonly ConversationPiece[], tokenizer: Tokenizer): EncodedDocument {
  const { eosId } = tokenizer;
  const [ids, weights]: [number[], number[]] = [[], []];
  let [length, targetBytes] = [0, 0];
  for (const { text, isTarget } of pieces) {
    const own = tokenizer.encode(text);
    if (isTarget && eosId !== undefined && own.at(-1) !== eosId) own.push(eosId);
    for (const id of own) {
      ids.push(id);
      weights.push(Number(isTarget));
    }
    if (!isTarget) continue;
    length = ids.length;
    targetBytes += utf8Bytes(tokenizer.decode(own, { skipSpecialTokens: true }));
  }
  // What follows the last target teaches nothing.
  return { ids: Int32Array.from(ids.slice(0, length)), weights: Uint8Array.from(weights.slice(0, length)), targetBytes, plain: false };
}

/** Characters between two turns of other work. */
const BLOCK_CHARACTERS = 2 ** 16;

/**
 * `tokenizer.encode` of a text of any length, block by block; other work has its turn between them. The ids are those of the whole text.
 *
 * @param signal ends it between two blocks by its reason
 * @throws {InputError} text that the vocabulary cannot express
 */
export async function encodeLongText(tokenizer: Tokenizer, text: string, signal?: AbortSignal): Promise<Int32Array> {
  let ids = new Int32Array(Math.min(text.length, BLOCK_CHARACTERS));
  let length = 0;
  for (const block of splitIntoBlocks(tokenizer, text)) {
    const own = tokenizer.encode(block);
    if (length + own.length > ids.length) {
      const larger = new Int32Array(Math.max(length + own.length, 2 * ids.length));
      larger.set(ids.subarray(0, length));
      ids = larger;
    }
    ids.set(own, length);
    length += own.length;
    if (block.length === text.length) break;
    await yieldToEventLoop();
    signal?.throwIfAborted();
  }
  return ids.slice(0, length);
}

/** Where tokens of most tokenizers end: after a line, and before the space between two words. */
const SPLIT_POSITIONS = /(?<=[\p{L}\p{N}.!?]\n)(?=[\p{L}\p{N}])|(?<=\p{L})(?= \p{L})/gu;
/** Characters on both sides of a border that decide whether tokens end there, and borders that are tried for each block. */
const [SPLIT_CONTEXT_CHARACTERS, MAX_SPLIT_TRIES] = [100, 4];

/** A text in blocks that are encoded as they are within the whole. */
export function* splitIntoBlocks(tokenizer: Tokenizer, text: string): Generator<string> {
  let begin = 0;
  for (let from = BLOCK_CHARACTERS; from < text.length; from = Math.max(from, begin) + BLOCK_CHARACTERS) {
    const end = findSplit(tokenizer, text, from);
    if (end === undefined) continue;
    yield text.slice(begin, end);
    begin = end;
  }
  yield text.slice(begin);
}

function findSplit(tokenizer: Tokenizer, text: string, from: number): number | undefined {
  const near = text.slice(from, from + BLOCK_CHARACTERS / 2);
  let tries = 0;
  for (const { index } of near.matchAll(SPLIT_POSITIONS)) {
    const at = from + index;
    if (index < SPLIT_CONTEXT_CHARACTERS || at + SPLIT_CONTEXT_CHARACTERS > text.length) continue;
    const [left, right] = [text.slice(at - SPLIT_CONTEXT_CHARACTERS, at), text.slice(at, at + SPLIT_CONTEXT_CHARACTERS)].map((side) =>
      side.replace(/^[\udc00-\udfff]|[\ud800-\udbff]$/g, ""),
    ) as [string, string];
    const apart = [...tokenizer.encode(left), ...tokenizer.encode(right)];
    const together = tokenizer.encode(left + right);
    if (apart.length === together.length && apart.every((id, i) => id === together[i])) return at;
    if (++tries === MAX_SPLIT_TRIES) return undefined;
  }
  return undefined;
}

const encoder = /* @__PURE__ */ new TextEncoder();

export function utf8Bytes(text: string): number {
  return encoder.encode(text).length;
}

/** Tokens within which a character is complete. */
const CHARACTER_TOKENS = 16;

/** Bytes of a text's first token, which may end within a character. */
export function firstTokenBytes(tokenizer: Tokenizer, ids: ArrayLike<number>): number {
  const some = Array.from({ length: Math.min(ids.length, CHARACTER_TOKENS) }, (_, i) => ids[i]!);
  const [head, rest] = [tokenizer.decode(some), tokenizer.decode(some.slice(1))];
  const difference = utf8Bytes(head) - utf8Bytes(rest);
  if (head.endsWith(rest)) return difference;
  // Each byte of the character that was cut is written as U+FFFD, of three bytes.
  const [{ length: strays }] = /^\ufffd*/.exec(rest)!;
  return difference + 2 * strays;
}
