// Messages of the library as sentences of a page.

/** Begins with a capital, unless the first word is a name such as `torch_dtype`, and ends with a full stop. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  const begun = /^[a-z]+[ ,]/.test(trimmed) ? trimmed[0]!.toUpperCase() + trimmed.slice(1) : trimmed;
  return withFullStop(begun);
}

/** The end of a sentence, which the library's messages may lack. */
export function withFullStop(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** A number of things: 1 user, 2,000 users. */
export function counted(count: number, unit: string): string {
  return `${count.toLocaleString("en")} ${unit}${count === 1 ? "" : "s"}`;
}
