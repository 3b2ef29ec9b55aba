// Finds the answer in a message: the text after the reasoning, and in that text a code block, a box or the last line.

/**
 * Maximum number of characters that are read, counted from the end of the message. It limits the time of a verifier; all right answers are
 * shorter.
 */
export const MAX_ANSWER_CHARACTERS = 50_000;
/** Maximum number of nested wrappers, such as quotes or bold marks, that are removed from an answer. */
const MAX_WRAPPERS = 20;

/**
 * Returns the text after the last `</think>`, or the whole message if it has no reasoning. Returns undefined if the reasoning is not
 * closed.
 */
export function finalText(response: string): string | undefined {
  const end = response.lastIndexOf("</think>");
  const from = end < 0 ? 0 : end + "</think>".length;
  if (response.indexOf("<think>", from) >= 0) return undefined;
  // In JavaScript, a byte order mark is white space. Inside a text it is a zero-width space like any other.
  const text = response.slice(from).trim();
  return text.slice(Math.max(0, text.length - MAX_ANSWER_CHARACTERS)).replaceAll("\ufeff", "\u200b");
}

/** A fenced code block. */
export interface CodeBlock {
  /** The language tag after the opening fence, in lower case. Empty if there is none. */
  readonly language: string;
  readonly content: string;
  /** Offset of the closing fence in the text. */
  readonly end: number;
}

/**
 * Returns the complete code blocks of a text, in order. A fence is three or more backticks, anywhere in a line.
 *
 * A fence with a language tag always opens a block. Extra fences around a block therefore do not hide it.
 */
export function codeBlocks(text: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  const fences = [...text.matchAll(/`{3,}/g)];
  let open = false;
  for (const [i, fence] of fences.entries()) {
    const begin = fence.index + fence[0].length;
    const next = fences[i + 1];
    open = !open || /^[A-Za-z0-9_+-]+[ \t]*\r?\n/.test(text.slice(begin, begin + 40));
    if (!open || !next) continue;
    const part = text.slice(begin, next.index);
    const tag = /^[A-Za-z0-9_+-]*(?=[ \t]*\r?\n|[ \t])/.exec(part)?.[0] ?? "";
    blocks.push({ language: tag.toLowerCase(), content: part.slice(tag.length), end: next.index });
  }
  return blocks;
}

/**
 * Returns the content of the last code block whose tag is one of `languages`; `""` stands for no tag. Returns undefined if there is none.
 */
export function lastCodeBlock(text: string, languages: readonly string[] = ["python", "py", ""]): string | undefined {
  return codeBlocks(text)
    .filter(({ language }) => languages.includes(language))
    .at(-1)?.content;
}

/**
 * Returns the contents of all `\boxed{…}` with balanced braces, in order. White space before the brace is ignored, as in LaTeX. Boxes inside another box are left out. A box that is never closed
 * is ignored, and boxes inside it are returned.
 */
export function boxes(text: string): string[] {
  const found: { readonly begin: number; readonly end: number }[] = [];
  // A stack with one entry per open brace: the offset where the content of its box begins, or undefined if the brace opens no box.
  const open: (number | undefined)[] = [];
  for (const { 0: token, index } of text.matchAll(/\\boxed\s*\{|\\[{}]|[{}]/g)) {
    if (token.length > 2) open.push(index + token.length);
    else if (token === "{") open.push(undefined);
    else if (token === "}") {
      const begin = open.pop();
      if (begin === undefined) continue;
      while (found.length > 0 && found.at(-1)!.begin > begin) found.pop();
      found.push({ begin, end: index });
    }
  }
  return found.map(({ begin, end }) => text.slice(begin, end));
}

/** Returns the content of the last non-empty box, cleaned by {@link plainText}. Returns undefined if there is none. */
export function lastBox(text: string): string | undefined {
  return boxes(text).map(plainText).filter(Boolean).at(-1);
}

/**
 * Removes harmless decoration from an answer: surrounding white space, `$`, bold marks, quotes and `\text{…}`, and one full stop at the
 * end.
 */
export function plainText(content: string): string {
  let text = content.trim();
  // Without this limit, a text of nested wrappers would take quadratic time.
  for (let layer = 0; layer < MAX_WRAPPERS; layer++) {
    const inner = unwrapped(text);
    if (inner === text) break;
    text = inner.trim();
  }
  return text;
}

function unwrapped(text: string): string {
  const command = /^\\(?:text|textbf|mathrm|mathbf|boxed)\s*\{/.exec(text)?.[0];
  if (command && text.endsWith("}") && closesAtEnd(text, command.length)) return text.slice(command.length, -1);
  for (const mark of ["**", "$$", "$", "`"]) {
    if (text.length > 2 * mark.length && text.startsWith(mark) && text.endsWith(mark)) return text.slice(mark.length, -mark.length);
  }
  if (/[^.。][.。]$/.test(text)) return text.slice(0, -1);
  return text;
}

/** Whether the last character closes the brace that was opened just before `from`. */
function closesAtEnd(text: string, from: number): boolean {
  let depth = 1;
  for (let at = from; at < text.length; at++) {
    if (text[at] === "{") depth++;
    else if (text[at] === "}" && --depth === 0) return at === text.length - 1;
  }
  return false;
}

/** Returns the last line that is neither blank nor a code fence, without surrounding white space. Returns undefined if there is none. */
export function lastLine(text: string): string | undefined {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !/^```[a-z]*$/.test(line))
    .at(-1);
}
