const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

export function escapeHtml(text) {
  return text.replace(/[&<>"']/g, (char) => ENTITIES[char]);
}

/** Filters by name. Each gets the value and the arguments after its colons. */
export const FILTERS = {
  upper: (value) => String(value).toUpperCase(),
  lower: (value) => String(value).toLowerCase(),
  /** The value, or a text if there is none. */
  default: (value, text = "") => (value === undefined || value === null || value === "" ? text : value),
  /** At most so many characters, the last of which is then an ellipsis. */
  truncate(value, length = "20") {
    const text = String(value ?? "");
    const limit = Number(length);
    return text.length > limit ? `${text.slice(0, limit - 1)}…` : text;
  },
  join: (value, separator = ", ") => (Array.isArray(value) ? value.join(separator) : value),
  /** Singular or plural by a number. */
  plural: (value, one, many) => `${value} ${Number(value) === 1 ? one : many}`,
};
