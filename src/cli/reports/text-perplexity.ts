// `lightning-m1 eval FILE`: perplexity and bits per byte of a text.

import { stat } from "node:fs/promises";
import type { MiniMaxM1 } from "../../index.js";
import { type EncodedDocument, encodeRow, type Perplexity, perplexity } from "../../train/index.js";
import { isJsonl, readRows, readTexts } from "../inputs/data-files.js";
import type { Terminal } from "../text/terminal.js";
import { visible } from "../text/terminal.js";

/** Extensions that mark an argument as a text, even if the file does not exist. */
const TEXT_FILE_NAME = /\.(txt|md|jsonl|ndjson)$/i;

/** Whether an argument names a text and not a checkpoint (a directory, a .safetensors file, a URL or a hub id). */
export async function isTextFile(path: string): Promise<boolean> {
  if (/^[a-z]+:\/\//i.test(path) || path.endsWith(".safetensors")) return false;
  if (TEXT_FILE_NAME.test(path)) return true;
  const info = await stat(path).catch(() => undefined);
  return info !== undefined && !info.isDirectory();
}

/**
 * Reads a file and returns a function that encodes its documents. A text is one document; a JSONL row is one or more.
 *
 * @throws {InputError} an unreadable file or an invalid row
 */
export async function readDocuments(path: string, terminal: Terminal): Promise<(model: MiniMaxM1) => AsyncGenerator<EncodedDocument>> {
  const { signal, err } = terminal;
  const onWarning = (message: string) => terminal.note(`${err.yellow("warning:")} ${visible(message)}`);
  const files = [{ path, where: path }];
  const rows = isJsonl(path)
    ? await readRows(files, { signal, onWarning })
    : (await readTexts(files, "a text file", { signal })).map((text) => ({ where: path, content: { text } }));
  return async function* (model) {
    const encoding = { tokenizer: model.tokenizer!, formatChat: model.formatChat.bind(model) };
    for (const row of rows) yield* await encodeRow(row, encoding, { end: false, signal });
  };
}

/** Measures a text and prints the result as text or as one JSON line. */
export async function evaluateText(
  path: string,
  model: MiniMaxM1,
  documents: AsyncIterable<EncodedDocument>,
  options: { readonly window?: number | undefined; readonly stride?: number | undefined; readonly json?: boolean | undefined },
  terminal: Terminal,
): Promise<void> {
  const { window, stride } = options;
  const result = await perplexity(model, documents, {
    ...(window !== undefined && { window }),
    ...(stride !== undefined && { stride }),
    signal: terminal.signal,
  });
  await terminal.print(options.json ? `${JSON.stringify({ file: path, ...result })}\n` : perplexityText(result));
}

function perplexityText({ documents, tokens, targets, bytes, crossEntropy, perplexity, bitsPerByte, window, stride }: Perplexity): string {
  const count = (n: number) => n.toLocaleString("en-US");
  const several = documents === 1 ? "" : `${count(documents)} documents, `;
  return [
    `perplexity     ${perplexity.toFixed(4)} per token, ${crossEntropy.toFixed(4)} nats`,
    `bits per byte  ${bitsPerByte.toFixed(4)}`,
    `predicted      ${count(targets)} tokens, ${count(bytes)} bytes (of ${several}${count(tokens)} tokens)`,
    `window         ${count(window)} tokens, stride ${count(stride)}`,
    "",
  ].join("\n");
}
