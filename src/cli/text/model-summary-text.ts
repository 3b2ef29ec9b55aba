import { formatBytes } from "../../index.js";
import type { AccuracyReport } from "../reports/accuracy.js";
import type { Facts, LayerSlopes } from "../reports/model-summary.js";
import { type Colours, visible } from "./terminal.js";

/** The facts as text of at most 80 columns (names aside). */
export function layout(facts: Facts, { bold, dim }: Colours): string {
  const { layers, heads, experts, state, checkpoint, accuracy } = facts;
  const sections = [
    rows([
      ["layers", `${count(layers.count)} = ${layers.pattern}`],
      ["hidden", `${count(facts.hiddenSize)}, vocabulary ${count(facts.vocabSize)}, context ${count(facts.maxPositionEmbeddings)}`],
      ["heads", `${heads.count} × ${heads.headDim}; softmax: ${heads.keyValue} of keys and values, rotary ${heads.rotaryDim}`],
      ["experts", `${experts.count} × ${count(experts.width)}, ${experts.perToken} per token${experts.shared ? ", and a shared one" : ""}`],
      ["tensors", count(facts.tensorCount)],
      ["parameters", bold(count(facts.parameterCount))],
      ["activated", `${bold(count(facts.activatedParameterCount))} per token, without embedding and head`],
      ["checkpoint", bytes(facts.checkpointBytes)],
    ]),
    blockTable(facts, dim),
    [
      dim("state of one sequence, float32"),
      ...rows([
        ["lightning", `${bytes(state.lightningBytes)} at any length`],
        ["keys, values", `${bytes(state.keyValueBytesPerToken)} per token`],
        ...state.contexts.map(({ tokens, bytes: all }) => [`${count(tokens)} tokens`, bytes(all)] as const),
      ]),
    ],
    slopeTable(facts.decaySlopes, dim),
    ...(checkpoint ? [storedTable(checkpoint, dim)] : []),
    ...(accuracy ? [accuracyTable(accuracy, dim)] : []),
  ];
  const body = sections.filter((lines) => lines.length > 0).map((lines) => lines.map((line) => `  ${line}\n`).join(""));
  return `${bold(visible(facts.name))} ${dim(`(${facts.dialect})`)}\n\n${body.join("\n")}`;
}

function blockTable({ blocks, tensorCount, parameterCount, checkpointBytes }: Facts, dim: Colours["dim"]): string[] {
  const line = (name: string, ...columns: string[]) =>
    name.padEnd(10) + columns.map((column, i) => column.padStart(i === 0 ? 9 : i === 3 ? 8 : 19)).join("");
  return [
    dim(line("block", "tensors", "parameters", "bytes", "share")),
    ...blocks.map(({ block, tensors, parameters, bytes }) =>
      line(block, count(tensors), count(parameters), count(bytes), `${((100 * bytes) / checkpointBytes).toFixed(2)}%`),
    ),
    line("in all", count(tensorCount), count(parameterCount), count(checkpointBytes)),
  ];
}

/** One line for every run of neighbouring lightning layers; all slopes where they were asked for. */
function slopeTable(layers: readonly LayerSlopes[], dim: Colours["dim"]): string[] {
  if (layers.length === 0) return [];
  if (layers[0]!.slopes) {
    return [
      dim("decay slopes λ by layer, one per head"),
      ...layers.flatMap(({ layer, slopes }) =>
        wrap(
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

function storedTable({ files, dtypes, buffers, tokenizer, fault }: NonNullable<Facts["checkpoint"]>, dim: Colours["dim"]): string[] {
  const here = files.filter((file) => file.bytes !== undefined);
  const unread = files.some(({ tensors }) => tensors === undefined);
  const name =
    here.length < files.length ? `, ${count(files.length - here.length)} missing` : files.length === 1 ? ` (${files[0]!.file})` : "";
  return [
    dim("as stored"),
    ...rows([
      ["files", `${count(files.length)}${name}, ${bytes(here.reduce((sum, file) => sum + file.bytes!, 0))}`],
      ...Object.entries(dtypes).map(([dtype, sum]) => [visible(dtype), `${count(sum.tensors)} tensors, ${bytes(sum.bytes)}`] as const),
      ...(buffers.length > 0 ? [["buffers", `${count(buffers.length)} that change nothing`] as const] : []),
      ["tokenizer", tokenizer ? "yes" : "none: token ids in, token ids out"],
      ["matches", fault ? "no" : unread ? "not known: weights that are not here yet" : "names, shapes and dtypes match the configuration"],
    ]),
  ];
}

function accuracyTable({ tokens, usedBytes, perplexity, precisions }: AccuracyReport, dim: Colours["dim"]): string[] {
  const line = (...columns: string[]) => columns.map((column, i) => (i === 0 ? column.padEnd(12) : column.padStart(13))).join("");
  return [
    dim(`in narrower precisions, over ${count(tokens)} tokens that it drew itself at temperature 1`),
    dim("logits: rms of the change, of their rms; same top: same most probable token;"),
    dim("divergence: Kullback–Leibler, from as stored, nats; kv: keys and values"),
    dim(line("", "memory", "logits", "same top", "divergence", "perplexity")),
    line("as stored", mebibytes(usedBytes), "", "", "", perplexity.toFixed(4)),
    ...precisions.map(({ precision, usedBytes, logitError, agreement, divergence, perplexity }) =>
      line(
        Object.entries(precision).flat().join(" "),
        mebibytes(usedBytes),
        `±${(100 * logitError).toPrecision(3)}%`,
        `${(100 * agreement).toFixed(1)}%`,
        divergence.toExponential(2),
        perplexity.toFixed(4),
      ),
    ),
  ];
}

export function rows(entries: readonly (readonly [label: string, text: string])[]): string[] {
  return entries.flatMap(([label, text]) => wrap(label.padEnd(18), text.split(" ")));
}

/** Words after a label, on as many lines as they need. */
export function wrap(label: string, words: readonly string[]): string[] {
  const lines: string[] = [label];
  for (const word of words) {
    if (lines.at(-1)!.length + word.length > WIDTH && lines.at(-1)!.trim() !== "") lines.push(" ".repeat(label.length));
    lines[lines.length - 1] += lines.at(-1)!.length > label.length ? ` ${word}` : word;
  }
  return lines;
}

/** Columns of text at most. */
const WIDTH = 78;

/**
 * Columns as wide as what is in them: the first to the left, the others to the right; the first row is a head. Columns for which there is no room
 * go below, beside the first once more.
 */
export function table(rows: readonly (readonly string[])[], dim: Colours["dim"], apart = 3): string[] {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)) + (i === 0 ? 0 : apart));
  let width = widths[0]!;
  let shown = 1;
  while (shown < widths.length && (shown === 1 || width + widths[shown]! <= WIDTH)) width += widths[shown++]!;
  const lines = rows.map((row) =>
    row
      .slice(0, shown)
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join(""),
  );
  const rest = rows.map((row) => [row[0]!, ...row.slice(shown)]);
  return [dim(lines[0]!), ...lines.slice(1), ...(shown < widths.length ? table(rest, dim, apart) : [])];
}

/** With commas between thousands; in powers of ten where not every digit is known. */
export function count(value: number): string {
  if (value > Number.MAX_SAFE_INTEGER) return value.toExponential(2);
  return value.toLocaleString("en-US", { maximumFractionDigits: 3 });
}

/** With as many digits in every row. */
function mebibytes(value: number): string {
  return `${(value / 2 ** 20).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })} MiB`;
}

export function bytes(value: number): string {
  return value < 1024 ? `${value} bytes` : `${count(value)} bytes (${formatBytes(value)})`;
}
