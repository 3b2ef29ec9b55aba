import { defineCommand } from "citty";
import { type Cache, formatBytes, type LayerView, LightningError, MiniMaxM1, minimaxM1 } from "../../index.js";
import { commonOptions, loadingArguments, numberOption, parseIds, UsageError } from "../options.js";
import { type GoldenComparison, GoldenOutputs } from "../reports/golden-outputs.js";
import { argmax, largestIndices, splitRows } from "../reports/vectors.js";
import type { Terminal } from "../text/terminal.js";

/** The prompt of the stored outputs. */
const PROMPT = [100663, 180090, 56966];

/** Runs the published graph at its real size, with synthetic weights. */
export const fullsize = defineCommand({
  meta: { name: "fullsize", description: "Run the 456B graph at full size, with synthetic weights" },
  args: {
    ids: { type: "string", valueHint: "1,2,3", description: `Prompt as token ids (default: ${PROMPT.join(",")})` },
    tokens: { type: "string", alias: "n", valueHint: "n", description: "Tokens to decode after the prompt (default: 1)" },
    verify: { type: "string", valueHint: "dir", description: "Compare two runs with the outputs in DIR/expected.safetensors" },
    layers: { type: "string", valueHint: "n", description: "Stop after this number of layers (default: all 80)" },
    build: loadingArguments.build,
    threads: loadingArguments.threads,
    json: { type: "boolean", description: "Print one JSON object" },
    ...commonOptions,
  },
  async run({ args, data }) {
    const terminal = data as Terminal;
    const { attnTypeList } = minimaxM1;
    const layers = numberOption(args, "layers", [
      `an integer within [1, ${attnTypeList.length}]`,
      (x) => Number.isInteger(x) && x >= 1 && x <= attnTypeList.length,
    ]);
    const tokens = numberOption(args, "tokens", ["an integer of at least 0", (x) => Number.isSafeInteger(x) && x >= 0]) ?? 1;
    if (args.verify !== undefined && args.ids !== undefined)
      throw new UsageError("--ids: expected no ids with --verify, which uses the ids of the stored outputs");
    if (layers !== undefined && args.tokens !== undefined) {
      throw new UsageError("--tokens: expected no tokens with --layers, because there are no logits before the last layer");
    }
    const expectation = args.verify === undefined ? undefined : await GoldenOutputs.read(args.verify, terminal.signal);
    const prompt = expectation?.ids ?? (args.ids === undefined ? PROMPT : parseIds(args.ids, "--ids"));
    using model = await MiniMaxM1.formula(minimaxM1, {
      build: args.build as "auto" | undefined,
      threads:
        args.threads === "auto"
          ? "auto"
          : numberOption(args, "threads", ["an integer within [1, 64]", (x) => Number.isInteger(x) && x >= 1 && x <= 64]),
      onWarning: (message) => terminal.note(`${terminal.err.yellow("warning:")} ${message}`),
    });
    const run = new FullSizeRun(model, terminal, Boolean(args.json), layers ?? attnTypeList.length);
    await run.print(
      `${model.parameters.toLocaleString("en-US")} synthetic parameters, ${model.build} kernels on ${model.threads} threads\n`,
    );

    const report: Report = { parameters: model.parameters, build: model.build, threads: model.threads, prompt, passes: [] };
    if (expectation) {
      report.passes.push(await run.runPasses("in one piece", prompt, [prompt], expectation));
      report.passes.push(
        await run.runPasses(
          "token by token",
          prompt,
          prompt.map((id) => [id]),
          expectation,
        ),
      );
    } else report.passes.push(await run.runPasses("prompt, then tokens", prompt, [prompt], undefined, layers ? 0 : tokens));
    report.peakBytes = process.resourceUsage().maxRSS * 1024;
    report.wasmBytes = model.memory.peakBytes;
    await run.print(
      `\npeak memory: ${formatBytes(report.peakBytes)} resident in total, ${formatBytes(report.wasmBytes)} in use by the model\n`,
    );
    const failed = report.passes.filter(({ comparison }) => comparison && !comparison.passed);
    if (expectation) await run.print(failed.length === 0 ? `equal to the stored outputs within ${GoldenOutputs.TOLERANCE}\n` : "");
    if (args.json) await terminal.print(`${JSON.stringify(report)}\n`);
    if (failed.length > 0) {
      throw new LightningError(
        `fullsize: ${failed.map(({ name }) => name).join(" and ")}: expected the stored outputs within ${GoldenOutputs.TOLERANCE} and the same choices, got different values (see above)`,
      );
    }
  },
});

interface Report {
  readonly parameters: number;
  readonly build: string;
  readonly threads: number;
  readonly prompt: readonly number[];
  readonly passes: PassReport[];
  peakBytes?: number;
  wasmBytes?: number;
}

interface PassReport {
  readonly name: string;
  readonly seconds: number;
  /** Results per piece and layer, in order. */
  readonly layers: readonly { readonly layer: number; readonly kind: string; readonly seconds: number; readonly experts: number[][] }[];
  /** The most probable tokens after the last token. */
  readonly top: readonly { readonly id: number; readonly logprob: number }[];
  readonly generated: readonly number[];
  readonly comparison: GoldenComparison | undefined;
}

/** Thrown to end a pass after the requested number of layers. */
const STOP_AFTER_LAYERS = Symbol("enough layers");

class FullSizeRun {
  constructor(
    private readonly model: MiniMaxM1,
    private readonly terminal: Terminal,
    private readonly quiet: boolean,
    private readonly layerLimit: number,
  ) {}

  async print(text: string): Promise<void> {
    if (!this.quiet) await this.terminal.print(text);
  }

  /** Runs the pieces of the prompt one after the other on one cache, then decodes `tokens` tokens greedily. */
  async runPasses(
    name: string,
    prompt: readonly number[],
    pieces: number[][],
    expectation?: GoldenOutputs,
    tokens = 0,
  ): Promise<PassReport> {
    const { model, terminal } = this;
    const { numExpertsPerTok: topK, attnTypeList, vocabSize } = model.config;
    const layers: PassReport["layers"][number][] = [];
    const generated: number[] = [];
    using cache: Cache = model.newCache();
    const comparing = expectation?.startComparison();
    const begin = performance.now();
    let logits: Float32Array | undefined;
    let done = 0;
    await this.print(`\n${name}: ${prompt.length} tokens\n`);
    for (
      let piece: number[] | undefined = pieces[0];
      piece;
      piece = pieces[++done] ?? (generated.length < tokens ? [argmax(logits!)] : undefined)
    ) {
      if (done >= pieces.length) generated.push(piece[0]!);
      const lines: string[] = [];
      let last = performance.now();
      const onLayer = (view: LayerView) => {
        const now = performance.now();
        const routed = view.routerLogits();
        const experts = splitRows(routed, piece!.length).map((row) => largestIndices(row, topK));
        const kind = attnTypeList[view.layer] === 0 ? "lightning" : "softmax";
        layers.push({ layer: view.layer, kind, seconds: (now - last) / 1000, experts });
        lines.push(
          `${String(view.layer).padStart(4)}  ${kind.padEnd(9)} ${((now - last) / 1000).toFixed(2).padStart(6)} s   experts ${experts.map((pair) => pair.join(" ")).join(" · ")}\n`,
        );
        comparing?.layer(view);
        last = now;
        if (view.layer + 1 === this.layerLimit && this.layerLimit < attnTypeList.length) throw STOP_AFTER_LAYERS;
        // Written immediately, so that each line appears when its layer is done.
        if (!this.quiet) terminal.stdout.write(lines.splice(0).join(""));
      };
      try {
        const out = await model.forwardAsync([piece], {
          cache: [cache],
          states: true,
          hiddenStates: Boolean(comparing),
          onLayer,
          signal: terminal.signal,
        });
        logits = out.logits.slice(-vocabSize);
        comparing?.end(out, piece.length);
        await this.print(`      token ${argmax(logits)} is the most probable one\n`);
      } catch (error) {
        if (error !== STOP_AFTER_LAYERS) throw error;
        await this.print(lines.join(""));
        break;
      }
    }
    const seconds = (performance.now() - begin) / 1000;
    const top = logits ? largestIndices(logits, 5).map((id) => ({ id, logprob: logits![id]! - logSum(logits!) })) : [];
    await this.print(
      `${seconds.toFixed(1)} s${top.length > 0 ? `; next: ${top.map(({ id, logprob }) => `${id} (${(100 * Math.exp(logprob)).toFixed(3)} %)`).join(", ")}` : ""}\n`,
    );
    const comparison = comparing?.result();
    for (const { what, difference, allowed } of comparison?.largest ?? []) {
      await this.print(`  ${what.padEnd(32)} ${difference.toExponential(1)}${difference <= allowed ? "" : `  > ${allowed}`}\n`);
    }
    if (comparison)
      await this.print(
        `  ${comparison.choices} expert choices and ${comparison.tokens} tokens compared: ${comparison.wrong.length === 0 ? "all the same" : `${comparison.wrong.length} differ: ${comparison.wrong.slice(0, 3).join("; ")}`}\n`,
      );
    return { name, seconds, layers, top, generated, comparison };
  }
}

function logSum(values: Float32Array): number {
  let most = -Infinity;
  for (const x of values) most = Math.max(most, x);
  let sum = 0;
  for (const x of values) sum += Math.exp(x - most);
  return most + Math.log(sum);
}
