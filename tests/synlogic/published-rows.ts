import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { Row } from "../../src/synlogic/index.js";

/** A response with two verdicts. */
export interface Check {
  readonly response: string;
  /** The verdict of the published verifier on the whole message. */
  readonly published: boolean | "error";
  /** The right verdict. Null if the question leaves it open. */
  readonly right: boolean | null;
  readonly kind: "gold" | "other valid solution" | "wrong value" | "hostile" | "empty" | "malformed" | "format variant";
  readonly note?: string;
}

/** Rows made with the published generators, with judged responses. Source: SynLogic at commit 6794f97 (MIT). */
export const publishedRows = gunzipSync(readFileSync(new URL("./data/rows.jsonl.gz", import.meta.url)))
  .toString()
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Row & { readonly checks: readonly Check[] });

/** The parts of the rows on which the policy for formats decides. */
export const isFormat = ({ kind }: Check) => kind === "malformed" || kind === "format variant";
