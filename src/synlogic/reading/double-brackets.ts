// Reads answers in double square brackets, as in [[1 2,2 1]].

/**
 * Returns the content of the last pair of double square brackets. Returns undefined if there is none.
 *
 * White space between the two brackets of a pair is ignored. The content contains no double brackets.
 */
export function lastDoubleBrackets(text: string): string | undefined {
  const dense = text.replace(/\[\s+(?=\[)/g, "[").replace(/\]\s+(?=\])/g, "]");
  const close = dense.lastIndexOf("]]");
  const open = close < 0 ? -1 : dense.lastIndexOf("[[", close);
  return open < 0 ? undefined : dense.slice(open + 2, dense.indexOf("]]", open));
}

/** Returns the content of the first pair of double square brackets on a single line. Returns undefined if there is none. */
export function firstDoubleBrackets(text: string): string | undefined {
  for (const line of text.split("\n")) {
    const open = line.indexOf("[[");
    const close = open < 0 ? -1 : line.indexOf("]]", open + 2);
    if (close >= 0) return line.slice(open + 2, close);
  }
  return undefined;
}

/** Returns the contents of all pairs of double square brackets, from left to right. Each content ends at the first closing pair. */
export function allDoubleBrackets(text: string): string[] {
  const found: string[] = [];
  for (let open = text.indexOf("[["); open >= 0; ) {
    const close = text.indexOf("]]", open + 2);
    if (close < 0) break;
    found.push(text.slice(open + 2, close));
    open = text.indexOf("[[", close + 2);
  }
  return found;
}

/** The numbers in double square brackets: `[[1 2,2 1]]`. */
export interface BracketedNumbers {
  readonly rows: readonly (readonly number[])[];
  /**
   * Whether numbers are separated by blanks and rows by ASCII commas, as the question asks. False for a nested list or full-width commas.
   */
  readonly exact: boolean;
  readonly found: string;
}

/**
 * Reads the numbers in the last pair of double square brackets. Returns undefined if there is no such pair, or if its content is not only
 * numbers.
 */
export function lastBracketedNumbers(text: string): BracketedNumbers | undefined {
  const content = lastDoubleBrackets(text);
  if (content === undefined) return undefined;
  const found = `[[${content}]]`;
  const exact = numbersOf(content.split(","), /\s+/);
  if (exact) return { rows: exact, exact: true, found };
  const commas = content.replaceAll("，", ",");
  const nested = /[[\]]/.test(commas);
  const rows = nested ? numbersOf(commas.split(/\]\s*(?:,\s*)?\[/), /\s*,\s*|\s+/) : numbersOf(commas.split(","), /\s+/);
  return rows && { rows, exact: false, found };
}

/** Parses rows of numbers and ignores a comma at the end. Returns undefined if an entry is not a number of one to three ASCII digits. */
function numbersOf(rows: readonly string[], separator: RegExp): number[][] | undefined {
  const texts = rows.map((row) => row.trim());
  if (texts.length > 1 && texts.at(-1) === "") texts.pop();
  const cells = texts.map((row) => row.replace(/,$/, "").split(separator));
  if (!cells.every((row) => row.every((cell) => /^(?:0|[1-9][0-9]{0,2})$/.test(cell)))) return undefined;
  return cells.map((row) => row.map(Number));
}

/** Formats rows of numbers in double square brackets. */
export const bracketedText = (rows: readonly (readonly number[])[]) => `[[${rows.map((row) => row.join(" ")).join(",")}]]`;
