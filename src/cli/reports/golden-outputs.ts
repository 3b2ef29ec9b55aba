import { join } from "node:path";
import { CheckpointError, type ForwardOutput, type LayerView, minimaxM1, readTensors, type StoredArray } from "../../index.js";
import { argmax, largestIndices, splitRows } from "./vectors.js";

/** The differences between a run and the stored outputs. */
export interface GoldenComparison {
  readonly passed: boolean;
  /** The largest difference of each output, and its tolerance. */
  readonly largest: readonly { readonly what: string; readonly difference: number; readonly allowed: number }[];
  /** Number of expert choices that were compared. */
  readonly choices: number;
  /** Number of most probable tokens that were compared. */
  readonly tokens: number;
  /** Descriptions of the expert choices and tokens that differ. */
  readonly wrong: readonly string[];
}

/** Only every 16th head of a lightning state is stored. */
const STORED_HEAD_STRIDE = 16;

/** Outputs of the published PyTorch code for the full-size model: hidden states, router logits, lightning states, logits, tokens. */
export class GoldenOutputs {
  /** Maximum absolute difference of any number. */
  static readonly TOLERANCE = 2e-3;

  private constructor(
    private readonly stored: ReadonlyMap<string, StoredArray>,
    /** Token ids of the prompt. */
    readonly ids: number[],
  ) {}

  /**
   * Reads stored outputs.
   *
   * @param directory the file, or a directory that contains it as `expected.safetensors`
   * @throws {CheckpointError} a missing file, or a file with missing or misshapen outputs
   */
  static async read(directory: string, signal: AbortSignal): Promise<GoldenOutputs> {
    const path = directory.endsWith(".safetensors") ? directory : join(directory, "expected.safetensors");
    const stored = await readTensors(path, { signal });
    const ids = stored.get("input_ids");
    const missing = ["input_ids", "router_logits", "last_logits", "argmax"].filter((name) => !stored.has(name));
    if (!ids || missing.length > 0)
      throw new CheckpointError(`${path}: expected outputs of the full-size model, got a file without ${missing.join(", ")}`);
    const { hiddenSize, numHiddenLayers, numLocalExperts, vocabSize } = minimaxM1;
    const tokens = ids.data.length;
    const sizes: [string, number][] = [
      ["router_logits", numHiddenLayers * tokens * numLocalExperts],
      ["last_logits", vocabSize],
      ["argmax", tokens],
    ];
    for (const name of stored.keys()) if (/^hidden_states\.\d+$|^final_hidden$/.test(name)) sizes.push([name, tokens * hiddenSize]);
    const wrong = sizes.find(([name, size]) => stored.get(name)!.data.length !== size);
    if (wrong)
      throw new CheckpointError(
        `${path}: ${wrong[0]}: expected ${wrong[1]} numbers for ${tokens} tokens of the published configuration, got [${stored.get(wrong[0])!.shape.join(", ")}]`,
      );
    return new GoldenOutputs(stored, [...ids.data]);
  }

  /** Starts the comparison of one run, which may split the prompt into any pieces. */
  startComparison(): GoldenComparer {
    return new GoldenComparer(this.stored, this.ids.length);
  }
}

class GoldenComparer {
  private readonly differences = new Map<string, number>();
  private readonly wrong: string[] = [];
  private choices = 0;
  private tokens = 0;
  /** Number of tokens in earlier pieces. */
  private before = 0;

  constructor(
    private readonly stored: ReadonlyMap<string, StoredArray>,
    private readonly length: number,
  ) {}

  layer(view: LayerView): void {
    const { layer } = view;
    const { numLocalExperts: experts, numExpertsPerTok: topK, numHiddenLayers } = minimaxM1;
    if (layer === 0) this.compare("hidden_states.0", view.input(), this.part("hidden_states.0"));
    this.compare(`hidden_states.${layer + 1}`, view.output(), this.part(`hidden_states.${layer + 1}`));
    const routed = view.routerLogits();
    const count = routed.length / experts;
    const all = this.stored.get("router_logits")!.data as Float32Array;
    const own = all.subarray(layer * this.length * experts).subarray(this.before * experts, (this.before + count) * experts);
    this.compare("router_logits", routed, own);
    for (const [t, row] of splitRows(routed, count).entries()) {
      const [got, expected] = [largestIndices(row, topK), largestIndices(splitRows(own, count)[t]!, topK)].map((pair) =>
        pair.sort((a, b) => a - b).join(" "),
      );
      if (got !== expected)
        this.wrong.push(`layer ${layer} of ${numHiddenLayers}, token ${this.before + t}: experts ${expected}, got ${got}`);
      this.choices += topK;
    }
  }

  end(out: ForwardOutput, count: number): void {
    const { vocabSize, hiddenSize, numHiddenLayers, headDim } = minimaxM1;
    this.compare("final_hidden", out.hiddenStates![numHiddenLayers]!, this.part("final_hidden", count * hiddenSize));
    const expected = this.stored.get("argmax")!.data;
    for (const [t, row] of splitRows(out.logits, out.logits.length / vocabSize).entries()) {
      const token = argmax(row);
      if (token !== expected[this.before + t]) this.wrong.push(`token ${this.before + t}: ${expected[this.before + t]}, got ${token}`);
      this.tokens++;
    }
    this.before += count;
    if (this.before < this.length) return;
    this.compare("last_logits", out.logits.subarray(-vocabSize), this.stored.get("last_logits")!.data);
    for (const [layer, state] of out.lightningStates!.entries()) {
      const own = this.stored.get(`lightning_state.${layer}`)?.data;
      if (!state || !own) continue;
      const size = headDim * headDim;
      const heads = Array.from({ length: own.length / size }, (_, i) =>
        state.subarray(STORED_HEAD_STRIDE * i * size, (STORED_HEAD_STRIDE * i + 1) * size),
      );
      for (const [i, head] of heads.entries()) this.compare(`lightning_state.${layer}`, head, own.subarray(i * size, (i + 1) * size));
    }
  }

  result(): GoldenComparison {
    const largest = [...this.differences].map(([what, difference]) => ({ what, difference, allowed: GoldenOutputs.TOLERANCE }));
    const passed = this.wrong.length === 0 && largest.every(({ difference, allowed }) => difference <= allowed);
    return { passed, largest, choices: this.choices, tokens: this.tokens, wrong: this.wrong };
  }

  /** Returns the stored rows of the current piece; undefined if they are not stored. */
  private part(name: string, size = Number.NaN): Float32Array | Int32Array | undefined {
    const all = this.stored.get(name)?.data;
    const width = minimaxM1.hiddenSize;
    return all?.subarray(this.before * width, Number.isNaN(size) ? undefined : this.before * width + size);
  }

  private compare(what: string, got: Float32Array, expected: Float32Array | Int32Array | undefined): void {
    if (!expected) return;
    let most = this.differences.get(what) ?? 0;
    // A NaN counts as an infinite difference.
    for (let i = 0; i < got.length; i++) {
      const difference = Math.abs(got[i]! - expected[i]!);
      if (!(difference <= most)) most = Number.isNaN(difference) ? Infinity : difference;
    }
    this.differences.set(what, most);
  }
}
