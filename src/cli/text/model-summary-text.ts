import type { AccuracyReport } from "../reports/accuracy.js";
import type { LayerSlopes, ModelSummary } from "../reports/model-summary.js";
import { bytes, count, labelledLines, wrapWords } from "./tables.js";
import { type Colours, visible } from "./terminal.js";

/** Formats a summary as text of at most 80 columns. Long names may exceed them. */
export function modelSummaryText(summary: ModelSummary, { bold, dim }: Colours): string {
  const { layers, experts, state, checkpoint, accuracy } = summary;
  const sections = [
    labelledLines([
      ["layers", `${count(layers.count)} = ${layers.pattern}`],
      ["hidden", `${count(summary.hiddenSize)}, vocabulary ${count(summary.vocabSize)}, context ${count(summary.maxPositionEmbeddings)}`],
      ...headLines(summary),
      experts.count === 0
        ? ["mlp", `dense, width ${count(experts.width)}`]
        : [
            "experts",
            `${experts.count} × ${count(experts.width)}, ${experts.perToken} per token${experts.shared ? ", and a shared one" : ""}`,
          ],
      ["tensors", count(summary.tensorCount)],
      ["parameters", bold(count(summary.parameterCount))],
      ["activated", `${bold(count(summary.activatedParameterCount))} per token, without embedding and head`],
      ["checkpoint", bytes(summary.checkpointBytes)],
    ]),
    blockTable(summary, dim),
    [
      dim("state of one sequence, float32"),
      ...labelledLines([
        ["lightning", `${bytes(state.lightningBytes)} at any length`],
        ["keys, values", `${bytes(state.keyValueBytesPerToken)} per token`],
        ...state.contexts.map(({ tokens, bytes: all }) => [`${count(tokens)} tokens`, bytes(all)] as const),
      ]),
    ],
    slopeTable(summary.decaySlopes, dim),
    ...(checkpoint ? [storedTable(checkpoint, dim)] : []),
    ...(accuracy ? [accuracyTable(accuracy, dim)] : []),
  ];
  const body = sections.filter((lines) => lines.length > 0).map((lines) => lines.map((line) => `  ${line}\n`).join(""));
  return `${bold(visible(summary.name))} ${dim(`(${summary.dialect})`)}\n\n${body.join("\n")}`;
}

/** Describes the heads. Lightning attention has a line of its own if its heads or its parts differ from those of MiniMax-M1. */
function headLines({ heads, lightning, softmax, dialect }: ModelSummary): [string, string][] {
  const ofSoftmax = `${heads.keyValue} of keys and values, rotary ${heads.rotaryDim}`;
  if (dialect !== "hypenet") return [["heads", `${heads.count} × ${heads.headDim}; softmax: ${ofSoftmax}`]];
  const { queryScale } = softmax;
  const scale = typeof queryScale === "number" ? `${queryScale}` : `ln(t + ${queryScale.logBase}) / ln(${queryScale.logBase})`;
  const own = (parts: readonly (readonly [boolean, string])[]) => parts.flatMap(([has, name]) => (has ? [name] : [])).join(", ") || "none";
  return [
    [
      "lightning",
      `${lightning.heads} × ${lightning.headDim}, ${lightning.keyValueHeads} of keys and values, rotary ${lightning.rotaryDim}`,
    ],
    [
      "",
      own([
        [lightning.qkNorm, "q/k norms"],
        [lightning.outputNorm, "output norm"],
        [lightning.outputGate, "output gate"],
      ]),
    ],
    ["softmax", `${heads.count} × ${heads.headDim}, ${ofSoftmax}`],
    [
      "",
      own([
        [softmax.qkNorm, "q/k norms"],
        [softmax.outputGate, "output gate"],
        [queryScale !== 1, `queries × ${scale}`],
      ]),
    ],
  ];
}

function blockTable({ blocks, tensorCount, parameterCount, checkpointBytes }: ModelSummary, dim: Colours["dim"]): string[] {
  const line = (name: string, ...columns: string[]) =>
    name.padEnd(10) + columns.map((column, i) => column.padStart(i === 0 ? 9 : i === 3 ? 8 : 19)).join("");
  return [
    dim(line("block", "tensors", "parameters", "bytes", "share")),
    ...blocks.map(({ block, tensors, parameters, bytes }) =>
      line(block, count(tensors), count(parameters), count(bytes), `${((100 * bytes) / checkpointBytes).toFixed(2)}%`),
    ),
    line("total", count(tensorCount), count(parameterCount), count(checkpointBytes)),
  ];
}

/** Formats decay slopes, with one line per run of adjacent lightning layers. If the summary contains all slopes, lists all of them. */
function slopeTable(layers: readonly LayerSlopes[], dim: Colours["dim"]): string[] {
  if (layers.length === 0) return [];
  if (layers[0]!.slopes) {
    return [
      dim("decay slopes λ by layer, one per head"),
      ...layers.flatMap(({ layer, slopes }) =>
        wrapWords(
          `${layer}`.padEnd(6),
          slopes!.map((slope) => slope.toPrecision(6)),
        ),
      ),
    ];
  }
  const runs: LayerSlopes[][] = [];
  for (const layer of layers) {
    if (runs.at(-1)?.at(-1)?.layer === layer.layer - 1) runs.at(-1)!.push(layer);
    else runs.push([layer]);
  }
  return [
    dim(`${"decay slopes λ".padEnd(16)}${"steepest … flattest".padEnd(28)}half is forgotten after`),
    ...runs.map((run) => {
      const [first, last] = [run[0]!, run.at(-1)!];
      const steepest = run.reduce((most, layer) => Math.max(most, layer.steepest), 0);
      const flattest = run.reduce((least, layer) => Math.min(least, layer.flattest), Number.POSITIVE_INFINITY);
      const range = first === last ? `layer ${first.layer}` : `layers ${first.layer}–${last.layer}`;
      const half = [steepest, flattest].map((slope) => count(Number((Math.LN2 / slope).toPrecision(3))));
      return `${range.padEnd(16)}${`${steepest.toPrecision(6)} … ${flattest.toPrecision(6)}`.padEnd(28)}${half.join(" … ")} tokens`;
    }),
  ];
}

function storedTable({ files, dtypes, buffers, tokenizer, fault }: NonNullable<ModelSummary["checkpoint"]>, dim: Colours["dim"]): string[] {
  const here = files.filter((file) => file.bytes !== undefined);
  const unread = files.some(({ tensors }) => tensors === undefined);
  const name =
    here.length < files.length ? `, ${count(files.length - here.length)} missing` : files.length === 1 ? ` (${files[0]!.file})` : "";
  return [
    dim("as stored"),
    ...labelledLines([
      ["files", `${count(files.length)}${name}, ${bytes(here.reduce((sum, file) => sum + file.bytes!, 0))}`],
      ...Object.entries(dtypes).map(([dtype, sum]) => [visible(dtype), `${count(sum.tensors)} tensors, ${bytes(sum.bytes)}`] as const),
      ...(buffers.length > 0 ? [["buffers", `${count(buffers.length)} without effect`] as const] : []),
      ["tokenizer", tokenizer ? "yes" : "none (input and output are token ids)"],
      ["matches", fault ? "no" : unread ? "unknown, because weights are missing" : "names, shapes and dtypes match the configuration"],
    ]),
  ];
}

function accuracyTable({ tokens, usedBytes, perplexity, precisions }: AccuracyReport, dim: Colours["dim"]): string[] {
  const line = (...columns: string[]) => columns.map((column, i) => (i === 0 ? column.padEnd(12) : column.padStart(13))).join("");
  return [
    dim(`in narrower precisions, over ${count(tokens)} tokens sampled at temperature 1`),
    dim("logits: rms of the change / rms; same top: same most probable token;"),
    dim("divergence: Kullback–Leibler from as stored, in nats; kv: keys and values"),
    dim(line("", "memory", "logits", "same top", "divergence", "perplexity")),
    line("as stored", alignedMebibytes(usedBytes), "", "", "", perplexity.toFixed(4)),
    ...precisions.map(({ precision, usedBytes, logitError, agreement, divergence, perplexity }) =>
      line(
        Object.entries(precision).flat().join(" "),
        alignedMebibytes(usedBytes),
        `±${(100 * logitError).toPrecision(3)}%`,
        `${(100 * agreement).toFixed(1)}%`,
        divergence.toExponential(2),
        perplexity.toFixed(4),
      ),
    ),
  ];
}

/** Formats bytes as MiB with two decimals, so that columns align. */
function alignedMebibytes(value: number): string {
  return `${(value / 2 ** 20).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })} MiB`;
}
