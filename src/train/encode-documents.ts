// Encodes rows and long texts as token ids, and marks which of the tokens are targets.

import { InputError } from "../base/errors.js";
import { yieldToEventLoop } from "../base/event-loop.js";
import { expectArgument, isObjectLike } from "../base/options.js";
import type { ChatOptions } from "../text/format-chat.js";
import type { Tokenizer } from "../text/tokenizer.js";
import type { LearnedMessage, Row, RowContent } from "./jsonl-rows.js";

/** Encodes texts and conversations. A model with a tokenizer has this interface. */
export interface ChatEncoding {
  readonly tokenizer: Tokenizer;
  /** Formats a conversation, like `model.formatChat`. */
  formatChat(messages: readonly LearnedMessage[], options?: ChatOptions): Promise<string>;
}

/** An encoded document. */
export interface EncodedDocument {
  readonly ids: Int32Array;
  /** 1 for targets, and 0 for context. The weight of the first token is ignored, because nothing predicts it. */
  readonly weights: Uint8Array;
  /** Number of UTF-8 bytes of the text of all targets, without special tokens. */
  readonly targetBytes: number;
  /** Whether the document is a plain text. All tokens of a plain text are targets, so a window may begin anywhere. */
  readonly plain: boolean;
}

/**
 * Encodes a row as one or several documents.
 *
 * A text becomes its tokens and, with `end`, the end-of-sequence token. All of them are targets. A conversation is written in the model's
 * chat format. Its targets are the assistant's messages, each with the end-of-sequence token. Everything else is context.
 *
 * A conversation becomes one document if the format writes each turn independently of later turns. Some formats do not; for example, they
 * omit earlier reasoning. In this case, each assistant turn becomes a separate document, after the prompt that a model would receive for
 * it.
 *
 * @throws {InputError} messages that the format cannot write, or a conversation without a target
 */
export async function encodeRow(
  row: Row,
  encoding: ChatEncoding,
  options: { readonly end?: boolean; readonly signal?: AbortSignal } = {},
): Promise<EncodedDocument[]> {
  const isRow = isObjectLike(row) && typeof row.where === "string" && isContent(row.content);
  expectArgument("encodeRow: row", isRow, "a row, as parseRows returns it", row);
  const isEncoding = isObjectLike(encoding) && isObjectLike(encoding.tokenizer) && typeof encoding.formatChat === "function";
  expectArgument("encodeRow: encoding", isEncoding, "{ tokenizer, formatChat }, such as a model with a tokenizer", encoding);
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

/** A part of a formatted conversation. */
interface ConversationPiece {
  readonly text: string;
  readonly isTarget: boolean;
}

/** Splits a conversation into the pieces of one or several documents. */
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
    if (i === 0) throw new InputError("messages: expected a message before the assistant's first message, got none");
    const before = await encoding.formatChat(messages.slice(0, i), { ...options, addGenerationPrompt: true });
    const after = await encoding.formatChat(messages.slice(0, i + 1), { ...options, addGenerationPrompt: false });
    if (!after.startsWith(before)) {
      throw new InputError(
        `messages[${i}]: expected a chat template that writes the answer after the prompt, got a template that changes the prompt`,
      );
    }
    turns.push({ before, answer: untilEndToken(after.slice(before.length), mark), weight: message.weight ?? 1 });
  }
  // This also validates the messages after the last answer.
  const whole = await encoding.formatChat(messages, { ...options, addGenerationPrompt: false });
  if (!turns.some(({ weight }) => weight === 1)) {
    throw new InputError("messages: expected at least one assistant message without weight 0, got none");
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

/** Returns the text up to and including the end token of the assistant's turn. */
function untilEndToken(text: string, mark: string | undefined): string {
  const at = mark === undefined ? -1 : text.lastIndexOf(mark);
  return at < 0 ? text : text.slice(0, at + mark!.length);
}

/**
 * Encodes pieces separately, because prompt and answer are separate in generation too. A target piece always ends with the end-of-sequence
 * token.
 */
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
  // Tokens after the last target are dropped, because they do not affect training.
  return { ids: Int32Array.from(ids.slice(0, length)), weights: Uint8Array.from(weights.slice(0, length)), targetBytes, plain: false };
}

/** Number of characters that are encoded before other work of the event loop runs. */
const BLOCK_CHARACTERS = 2 ** 16;

/**
 * Encodes a text of any length block by block. Other work of the event loop runs between the blocks. The ids are those of the whole text.
 *
 * @param signal aborts between two blocks. Its reason is thrown
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

/** Matches positions at which most tokenizers end a token: after a line, and before the space between two words. */
const SPLIT_POSITIONS = /(?<=[\p{L}\p{N}.!?]\n)(?=[\p{L}\p{N}])|(?<=\p{L})(?= \p{L})/gu;
/**
 * Number of characters on each side that are encoded to test a split position, and maximum number of positions that are tested per block.
 */
const [SPLIT_CONTEXT_CHARACTERS, MAX_SPLIT_TRIES] = [100, 4];

/** Splits a text into blocks whose tokens equal those of the whole text. */
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

/** Returns the number of UTF-8 bytes of a text. */
export function utf8Bytes(text: string): number {
  return encoder.encode(text).length;
}

/** Number of tokens that certainly contain a whole character. */
const CHARACTER_TOKENS = 16;

/** Returns the number of bytes of a text's first token. The token may end within a character. */
export function firstTokenBytes(tokenizer: Tokenizer, ids: ArrayLike<number>): number {
  const some = Array.from({ length: Math.min(ids.length, CHARACTER_TOKENS) }, (_, i) => ids[i]!);
  const [head, rest] = [tokenizer.decode(some), tokenizer.decode(some.slice(1))];
  const difference = utf8Bytes(head) - utf8Bytes(rest);
  if (head.endsWith(rest)) return difference;
  // Each byte of the cut character is decoded as U+FFFD, which has three bytes.
  const [{ length: strays }] = /^\ufffd*/.exec(rest)!;
  return difference + 2 * strays;
}
