import { stripVTControlCharacters } from "node:util";

/** The errors among the diagnostics of the AssemblyScript compiler, without its warnings. All of the text if it contains no errors. */
export function errorsOf(diagnostics) {
  // The compiler colours its output in some environments.
  const blocks = stripVTControlCharacters(diagnostics).split(/^(?=(?:ERROR|WARNING|INFO|PEDANTIC|FAILURE)\b)/m);
  const errors = blocks.filter((block) => /^(?:ERROR|FAILURE)\b/.test(block));
  return errors.length > 0 ? errors.join("") : diagnostics;
}
