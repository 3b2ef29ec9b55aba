/** An error in a template, with its line. */
export class TemplateError extends Error {
  constructor(message, line) {
    super(`line ${line}: ${message}`);
    this.name = "TemplateError";
    this.line = line;
  }
}

const TAG = /\{\{(-?)\s*(#|\/|!|&)?\s*([\s\S]*?)\s*(-?)\}\}/g;
const KINDS = { "#": "open", "/": "close", "!": "comment", "&": "raw" };

/**
 * Splits a template into texts and tags. `{{- x -}}` removes the white space before and after the tag.
 */
export function tokenize(template) {
  const tokens = [];
  let at = 0;
  let trimNext = false;
  const addText = (end, trimEnd) => {
    let text = template.slice(at, end);
    if (trimNext) text = text.trimStart();
    if (trimEnd) text = text.trimEnd();
    if (text !== "") tokens.push({ type: "text", text });
  };
  for (const match of template.matchAll(TAG)) {
    const [whole, trimBefore, sign, content, trimAfter] = match;
    addText(match.index, trimBefore === "-");
    const line = template.slice(0, match.index).split("\n").length;
    if (sign !== "!" && content === "") throw new TemplateError("an empty tag", line);
    tokens.push({ type: sign ? KINDS[sign] : "value", content, line });
    at = match.index + whole.length;
    trimNext = trimAfter === "-";
  }
  addText(template.length, false);
  return tokens;
}
