import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { decodeText, isObject, parseJson } from "../../base/json.js";
import { type ExpectedAnswer, verifiers } from "../rewards/verifiers.js";
import type { Verifiable } from "../tasks/task.js";

/** A question with its accepted answers. */
export interface JsonlQuestion {
  readonly prompt: string;
  readonly answers: readonly string[];
}

/** Options of {@link jsonlTask}. */
export interface JsonlTaskOptions {
  /** Name of the task. */
  readonly name: string;
  readonly verifier: keyof typeof verifiers;
  /**
   * How the answer is extracted from a response: `"tagged"` reads the text between `<answer>` tags after `</think>`, `"text"` uses the
   * `parse` function of the verifier.
   */
  readonly answer: "tagged" | "text";
}

const rowSchema = v.looseObject({ prompt: v.string(), answer: v.custom<ExpectedAnswer>((x) => x !== undefined) });

/**
 * Creates a task of one level from a JSONL file of questions and answers.
 *
 * Each line is `{"prompt": …, "answer": …}`. If `answer` is an array, each of its elements is accepted. Other keys and empty lines are
 * ignored.
 *
 * Instances are drawn with replacement. As in every task, an eighth of the instances is held out for evaluation.
 *
 * @param where the file, for messages
 * @throws {CheckpointError} bytes that are not UTF-8
 * @throws {InputError} an invalid line, an answer that is invalid for the verifier, a prompt that is repeated with other answers, or no
 *   lines
 */
export function jsonlTask(
  bytes: Uint8Array,
  where: string,
  { name, verifier, answer }: JsonlTaskOptions,
): Verifiable<JsonlQuestion> & { readonly levels: 1 } {
  const rows = parseRows(decodeText(bytes, where), where, verifier);
  const { verify, parse } = verifiers[verifier];
  return {
    ...{ name, levels: 1 },
    generate: (random) => rows[Math.floor(random.next() * rows.length)]!,
    question: ({ prompt }) => prompt,
    verify: ({ answers }, given) => answers.some((expected) => verify(expected, given)),
    ...(answer === "text" && { parse }),
  };
}

function parseRows(text: string, where: string, verifier: keyof typeof verifiers): JsonlQuestion[] {
  const rows: JsonlQuestion[] = [];
  const seen = new Map<string, { readonly line: number; readonly answers: string }>();
  for (const [i, line] of text
    .replace(/^\uFEFF/, "")
    .split("\n")
    .entries()) {
    if (line.trim() === "") continue;
    const at = `${where}: line ${i + 1}`;
    const row = parseRow(line, at, verifier);
    const answers = JSON.stringify(row.answers);
    const twin = seen.get(row.prompt);
    if (twin && twin.answers !== answers) {
      throw new InputError(
        `${at}: answer: expected the answer of line ${twin.line}, which has the same prompt, got a different answer (use one row with an array to accept several answers)`,
      );
    }
    seen.set(row.prompt, { line: i + 1, answers });
    rows.push(row);
  }
  if (rows.length === 0) throw new InputError(`${where}: expected lines of {"prompt": …, "answer": …}, got no lines`);
  return rows;
}

function parseRow(line: string, at: string, verifier: keyof typeof verifiers): JsonlQuestion {
  const row = withLineNumber(at, () => parseJson(line, "JSON"));
  if (!isObject(row)) throw new InputError(`${at}: expected a JSON object, got ${excerpt(line)}`);
  const { success, output } = v.safeParse(rowSchema, row);
  const key = ["prompt", "answer"].find((name) => row[name] === undefined || row[name] === null);
  if (key) throw new InputError(`${at}: ${key}: expected a value, got none (every line needs the keys prompt and answer)`);
  if (!success || output.prompt.trim() === "") {
    throw new InputError(`${at}: prompt: expected text, got ${excerpt(JSON.stringify(row.prompt))}`);
  }
  const { expects, accepts } = verifiers[verifier];
  const given = Array.isArray(output.answer) ? (output.answer as readonly unknown[]) : [output.answer];
  const exact = (x: unknown) =>
    typeof x === "string" || (typeof x === "number" && Number.isFinite(x) && (!Number.isInteger(x) || Number.isSafeInteger(x)));
  const wrong = given.find((x) => !exact(x) || !accepts(String(x)));
  if (given.length === 0 || wrong !== undefined) {
    const got = given.length === 0 ? "an empty array" : excerpt(JSON.stringify(wrong));
    throw new InputError(`${at}: answer: expected ${expects}, because the verifier is "${verifier}", got ${got}`);
  }
  return { prompt: output.prompt, answers: given.map(String) };
}

/** Runs `body`. In its errors about invalid JSON, replaces the position by the line number in the file. */
function withLineNumber(at: string, body: () => unknown): unknown {
  try {
    return body();
  } catch (cause) {
    throw new InputError((cause as Error).message.replace("JSON: line 1, ", `${at}, `), { cause });
  }
}

function excerpt(text: string | undefined): string {
  if (text === undefined) return "none";
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
