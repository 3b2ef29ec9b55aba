/** Returns the memory of all typed arrays in a value, for a transfer list. The value must own them: they become empty here. */
export function buffersOf(value: unknown, found = new Set<ArrayBuffer>()): ArrayBuffer[] {
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer) found.add(value.buffer);
  } else if (Array.isArray(value) || value instanceof Map) {
    // A list of numbers contains no arrays.
    if (!(Array.isArray(value) && typeof value[0] === "number")) for (const item of value.values()) buffersOf(item, found);
  } else if (value instanceof ArrayBuffer) {
    found.add(value);
  } else if (typeof value === "object" && value !== null) {
    for (const item of Object.values(value)) buffersOf(item, found);
  }
  return [...found];
}
