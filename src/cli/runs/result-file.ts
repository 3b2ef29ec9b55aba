// A file of evaluation results. A line is appended for each finished row, so that no result is lost if the process is killed.

import { closeSync, fsyncSync, ftruncateSync, openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { InputError } from "../../index.js";
import { replaceFile, withWriteErrors, writeAll } from "../../node-entry/write-files.js";
import type { RowResult } from "../../rl/index.js";
import { formatLines } from "../../rl/rows/row-format.js";
import { parseResults } from "../inputs/task-rows.js";

/** How the responses of a result were sampled. A continued evaluation must have the same settings. */
export interface EvaluationSettings {
  readonly model: string;
  readonly samples: number;
  readonly temperature: number;
  readonly top_p: number;
  readonly max_tokens: number;
  readonly seed: number;
}

/** A result as it is stored. */
export type StoredResult = RowResult & { readonly evaluation: EvaluationSettings };

/** A file to which results are appended. It also contains the results of earlier calls. */
export class ResultFile {
  private constructor(
    private readonly path: string,
    private readonly file: number,
    private readonly settings: EvaluationSettings,
    /** All results, those of earlier calls included. */
    readonly results: StoredResult[],
  ) {}

  /**
   * Opens a file, or creates it.
   *
   * @param questions the questions of all rows, in order
   * @throws {InputError} a file with results of other rows or other settings
   */
  static async open(path: string, settings: EvaluationSettings, questions: readonly string[]): Promise<ResultFile> {
    const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return "";
      throw new InputError(`--out: ${path}: cannot be read: ${error.message}`, { cause: error });
    });
    const { results, bytes } = parseResults<StoredResult>(text, path);
    for (const { index, question, evaluation } of results) {
      const other = questions[index] === question ? JSON.stringify(evaluation) !== JSON.stringify(settings) : "rows";
      if (other) {
        const [expected, got] =
          other === "rows"
            ? ["results of the same rows", `another question in row ${index}`]
            : [JSON.stringify(settings), JSON.stringify(evaluation)];
        throw new InputError(`--out: ${path}: expected ${expected}, got ${got} (write to another file, or delete this one)`);
      }
    }
    const file = withWriteErrors(path, () => openSync(path, "a"));
    // If a kill has cut off the last line, the next line must not be appended to it.
    withWriteErrors(path, () => ftruncateSync(file, bytes));
    return new ResultFile(path, file, settings, results);
  }

  /** Numbers of the rows that have results. */
  get finished(): ReadonlySet<number> {
    return new Set(this.results.map(({ index }) => index));
  }

  /** Appends a result and waits until it is on the drive. */
  append(result: RowResult): void {
    const stored = { ...result, evaluation: this.settings };
    withWriteErrors(this.path, () => {
      writeAll(this.file, Buffer.from(formatLines([stored])));
      fsyncSync(this.file);
    });
    this.results.push(stored);
  }

  /** Sorts the finished file by row. */
  sort(): void {
    this.results.sort((a, b) => a.index - b.index);
    replaceFile(this.path, Buffer.from(formatLines(this.results)));
  }

  close(): void {
    closeSync(this.file);
  }
}
