const DEFAULTS = { delimiter: ",", quote: '"', newline: "\n", header: true, trim: false };

/** Fills in and checks the options of a dialect. */
export function dialect(options = {}) {
  const unknown = Object.keys(options).find((name) => !(name in DEFAULTS));
  if (unknown) throw new TypeError(`unknown option ${unknown}`);
  const result = { ...DEFAULTS, ...options };
  if (result.delimiter.length !== 1) throw new TypeError("the delimiter must be one character");
  if (result.delimiter === result.quote) throw new TypeError("the delimiter and the quote must differ");
  return result;
}

/** Guesses the delimiter from the first line: the candidate that occurs most often outside quotes. */
export function guessDelimiter(text, candidates = [",", ";", "\t", "|"]) {
  const counts = new Map(candidates.map((candidate) => [candidate, 0]));
  let isQuoted = false;
  for (const char of text) {
    if (char === '"') isQuoted = !isQuoted;
    else if (isQuoted) continue;
    else if (char === "\n") break;
    else if (counts.has(char)) counts.set(char, counts.get(char) + 1);
  }
  let best = candidates[0];
  for (const [candidate, count] of counts) if (count > counts.get(best)) best = candidate;
  return best;
}
