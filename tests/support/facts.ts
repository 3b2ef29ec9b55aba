/**
 * Returns a pattern for a message that states these facts in this order. `…` stands for any words: `facts("window: …2048…4096")`. A number
 * at the beginning or end of a fact must be a whole number of the message, not a part of a longer one.
 */
export function facts(text: string): RegExp {
  const parts = text.split("…").map((part) => part.trim());
  const patterns = parts.map((part) => {
    const exact = part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
    return `${/^\d/.test(part) ? "(?<![\\d.])" : ""}${exact}${/\d$/.test(part) ? "(?!\\d|\\.\\d)" : ""}`;
  });
  return new RegExp(patterns.join("[^]*"));
}
