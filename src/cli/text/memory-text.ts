import { type DeploymentMemory, VLLM_DEFAULTS, VLLM_VERSION } from "../../analysis/index.js";
import { formatBytes } from "../../index.js";
import { GGUF_FORMATS, KV_PRECISIONS, type LibraryMemory, type LlamaCppMemory, type Memory, SCHEMES } from "../reports/memory.js";
import { count, table } from "./tables.js";
import type { Colours } from "./terminal.js";

/** Formats the memory report: with vLLM, GPUs needed, with llama.cpp, claims of the deployment guide, and in this library. */
export function memorySections(memory: Memory, dim: Colours["dim"]): string[][] {
  return [
    ...(memory.server.length > 0 ? [serverLines(memory, dim), gpuLines(memory, dim)] : []),
    ...(memory.llamaCpp.length > 0 ? [llamaCppLines(memory, dim)] : []),
    ...(memory.guideClaims.length > 0 ? [guideLines(memory, dim)] : []),
    libraryLines(memory, dim),
  ];
}

/** Rows that are equal for both weight schemes. */
const COMMON_ROWS: readonly (readonly [key: keyof DeploymentMemory, label: string])[] = [
  ["keyValueBytes", "keys and values, bf16"],
  ["stateBytes", "lightning states, f32"],
  ["rotaryBytes", "rotary table, f32"],
  ["activationBytes", "forward pass, estimated"],
];

function serverLines({ contexts, batch, server }: Memory, dim: Colours["dim"]): string[] {
  const row = (label: string, scheme: string, key: keyof DeploymentMemory) => [
    label,
    ...server.filter(({ weights }) => weights === scheme).map((one) => formatBytes(one[key])),
  ];
  return table(
    [
      [`memory with vLLM, ${sequences(batch)} of`, ...contexts.map(count)],
      ...SCHEMES.map((scheme) => row(`weights, ${scheme}`, scheme, "weightsBytes")),
      ...COMMON_ROWS.map(([key, label]) => row(label, SCHEMES[0], key)),
      ...SCHEMES.map((scheme) => row(`total, ${scheme}`, scheme, "totalBytes")),
    ],
    dim,
  );
}

/** GPU kinds that represent all kinds of their memory size. */
const GPU_SIZES = { H800: "80 GB", H20: "96 GB", H200: "141 GB", B200: "192 GB" } as const;

function gpuLines({ server }: Memory, dim: Colours["dim"]): string[] {
  const kinds = Object.keys(GPU_SIZES);
  const rows = server.map(({ weights, context, gpus }) => [
    `${weights}, ${count(context)}`,
    ...kinds.map((kind) => `${gpus.find(({ name }) => name === kind)!.needed ?? "none"}`),
  ]);
  return [
    ...table([["GPUs that hold the model", ...Object.values(GPU_SIZES)], ...rows], dim),
    dim(`${kinds.join(", ")}; 95 % of each used, every layer shared by all`),
  ];
}

function llamaCppLines({ contexts, batch, llamaCpp }: Memory, dim: Colours["dim"]): string[] {
  const of = (format: string) => llamaCpp.filter(({ weights }) => weights === format);
  const cells = (format: string, key: Exclude<keyof LlamaCppMemory, "weights">) => of(format).map((one) => formatBytes(one[key]));
  return [
    ...table(
      [
        [`memory in llama.cpp, ${sequences(batch)} of`, ...contexts.map(count)],
        ["keys and values, f16", ...cells("Q8_0", "keyValueBytes")],
        ...GGUF_FORMATS.map((format) => [
          `total, ${format} (weights: ${formatBytes(of(format)[0]!.weightsBytes)})`,
          ...cells(format, "totalBytes"),
        ]),
      ],
      dim,
    ),
    dim("in one memory, without checkpoints of lightning states; plan places layers"),
  ];
}

function guideLines({ guideClaims }: Memory, dim: Colours["dim"]): string[] {
  const claims = guideClaims.map(({ gpu, gpuCount, claimedTokens }) => `${count(claimedTokens)} on ${gpuCount} ${gpu.name}`);
  const rows = guideClaims[0]!.verdicts.map(({ states, utilization }, i) => [
    `--max-num-seqs ${states}, ${Math.round(100 * utilization)} % of memory`,
    ...guideClaims.map(({ verdicts }) => `${verdicts[i]!.holds ? "holds" : "does not"} (${count(verdicts[i]!.mostTokens)})`),
  ]);
  const { maxSequences, utilization } = VLLM_DEFAULTS;
  return [
    ...table([["guide, experts_int8, one sequence of", ...claims], ...rows], dim),
    dim("Claims of MiniMax's deployment guide, which does not state its settings."),
    dim("In brackets: maximum tokens that fit. Without --max-num-seqs and"),
    dim(`--gpu-memory-utilization, vLLM ${VLLM_VERSION}'s V0 engine sets ${maxSequences} and ${utilization.toFixed(2)}.`),
  ];
}

function libraryLines({ contexts, batch, library }: Memory, dim: Colours["dim"]): string[] {
  const row = (label: string, dtype: LibraryMemory["dtype"], kv: LibraryMemory["kv"]) => [
    label,
    ...library
      .filter((one) => one.dtype === dtype && one.kv === kv)
      .map(({ totalBytes, fits }) => `${formatBytes(totalBytes)} ${fits ? "fits" : "no"}`),
  ];
  const streams = library.some(({ residency, fits }) => residency === "resident" && !fits);
  return [
    ...table(
      [
        [`in this library, ${sequences(batch)} of`, ...contexts.map(count)],
        row("total, q4, kv in q8", "q4", "q8"),
        ...KV_PRECISIONS.map((precision) => row(`total, ${precision}`, precision, precision)),
        ...(streams ? [row("streamed, kv in q8", "as stored", "q8")] : []),
      ],
      dim,
    ),
    dim("weights, state (lightning, keys and values) and a forward pass, in 4 GiB"),
    ...(streams ? [dim('residency: "streamed" leaves weights in their files, 1 GiB of them in memory')] : []),
  ];
}

function sequences(batch: number): string {
  return `${count(batch)} sequence${batch === 1 ? "" : "s"}`;
}
