import { stripVTControlCharacters } from "node:util";

/**
 * Returns the errors among the diagnostics of the AssemblyScript compiler, without its warnings. If there are no errors, returns the whole
 * text.
 */
export function errorsOf(diagnostics) {
  // The compiler colours its output in some environments.
  const blocks = stripVTControlCharacters(diagnostics).split(/^(?=(?:ERROR|WARNING|INFO|PEDANTIC|FAILURE)\b)/m);
  const errors = blocks.filter((block) => /^(?:ERROR|FAILURE)\b/.test(block));
  return errors.length > 0 ? errors.join("") : diagnostics;
}
