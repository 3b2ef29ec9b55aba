/** An error in the text, with its line. */
export class CsvError extends Error {
  constructor(message, line) {
    super(`line ${line}: ${message}`);
    this.name = "CsvError";
    this.line = line;
  }
}

/**
 * Splits a text into records of fields. A quoted field may contain delimiters, line breaks and doubled quotes.
 * Lines end with LF, CRLF or CR. Empty lines are skipped.
 */
export function scan(text, { delimiter, quote, trim }) {
  const records = [];
  let record = [];
  let line = 1;
  let i = text.charCodeAt(0) === 0xfeff ? 1 : 0;

  function quotedField() {
    const start = line;
    let value = "";
    for (i++; i < text.length; i++) {
      if (text[i] !== quote) {
        if (text[i] === "\n") line++;
        value += text[i];
      } else if (text[i + 1] === quote) {
        value += quote;
        i++;
      } else {
        i++;
        if (i < text.length && text[i] !== delimiter && !isLineEnd(text[i])) throw new CsvError("text after a closing quote", line);
        return value;
      }
    }
    throw new CsvError("a quote is not closed", start);
  }

  function plainField() {
    const start = i;
    while (i < text.length && text[i] !== delimiter && !isLineEnd(text[i])) i++;
    const value = text.slice(start, i);
    return trim ? value.trim() : value;
  }

  while (i < text.length) {
    record.push(text[i] === quote ? quotedField() : plainField());
    if (text[i] === delimiter) {
      i++;
      // A delimiter at the end of the text is followed by an empty field.
      if (i === text.length) record.push("");
      continue;
    }
    if (text[i] === "\r" && text[i + 1] === "\n") i++;
    i++;
    if (record.length > 1 || record[0] !== "") records.push({ fields: record, line });
    record = [];
    line++;
  }
  if (record.length > 0) records.push({ fields: record, line });
  return records;
}

function isLineEnd(char) {
  return char === "\n" || char === "\r";
}
