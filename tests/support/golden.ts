import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readSafetensors, type StoredTensor } from "./safetensors.js";

/** A checkpoint, and the numbers that the published PyTorch code computes from it. */
export interface GoldenCase {
  readonly name: string;
  readonly directory: string;
  /** The parsed `config.json`. */
  readonly config: Record<string, unknown>;
  readonly weights: ReadonlyMap<string, StoredTensor>;
  /** Expected numbers, by the names in tests/golden/README.md. */
  readonly expected: ReadonlyMap<string, StoredTensor>;
  readonly inputIds: number[][];
  /** The first 16 input ids, and the 24 greedy tokens after them. */
  readonly greedyIds: number[][];
}

/** Number of ids in `greedyIds` that belong to the prompt. */
export const GREEDY_PROMPT = 16;

const own = fileURLToPath(new URL("../golden", import.meta.url));

/** Returns the directories of all cases: first those in the repository, then those under the directory named by GOLDEN_DIR. */
export function goldenCases(): { name: string; directory: string }[] {
  const directories = new Map<string, string>();
  for (const root of [own, process.env.GOLDEN_DIR]) {
    if (!root) continue;
    for (const name of readdirSync(root).sort()) {
      const directory = join(root, name);
      if (!directories.has(name) && isCase(directory)) directories.set(name, directory);
    }
  }
  return Array.from(directories, ([name, directory]) => ({ name, directory }));
}

/**
 * Returns whether a directory is a case, which has weights, and logits to compare with. Other golden files contain gradients, or have
 * synthetic weights.
 */
function isCase(directory: string): boolean {
  if (!["config.json", "model.safetensors", "expected.safetensors"].every((file) => existsSync(join(directory, file)))) return false;
  return read(directory, "expected.safetensors").has("logits");
}

/** Reads one case completely. */
export function readGolden({ name, directory }: { name: string; directory: string }): GoldenCase {
  const expected = read(directory, "expected.safetensors");
  return {
    name,
    directory,
    config: JSON.parse(readFileSync(join(directory, "config.json"), "utf8")),
    weights: read(directory, "model.safetensors"),
    expected,
    inputIds: rows(expected.get("input_ids")!),
    greedyIds: rows(expected.get("greedy_ids")!),
  };
}

function read(directory: string, file: string): Map<string, StoredTensor> {
  return readSafetensors(readFileSync(join(directory, file)));
}

function rows({ shape, data }: StoredTensor): number[][] {
  const [count = 0, length = 0] = shape;
  return Array.from({ length: count }, (_, row) => [...data.subarray(row * length, (row + 1) * length)]);
}
