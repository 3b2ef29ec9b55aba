// Measures lightning attention over all heads of a sequence. Compares it with the same chunked computation in onnxruntime, at several block
// sizes.

import { stage } from "../contest.mjs";
import { ours, peer } from "../contestants.mjs";

const BLOCKS = [16, 32, 64, 128, 256];
const SHAPE = { heads: 8, headDim: 128 };
const TOKENS = 16384;
/** Measured only with one block size, and without native onnxruntime: all inputs and their copies take 3 GB for each contestant. */
const LONG = { tokens: 65536, block: 32, takesPart: ({ build }) => build !== "native" };

const heat = ({ tokens, block, takesPart }) => ({
  title: `lightning attention, ${SHAPE.heads} heads of ${SHAPE.headDim}, ${tokens} tokens, onnxruntime in blocks of ${block}`,
  task: { kind: "lightning", tokens, ...SHAPE, block },
  metrics: { run: { unit: "ktoken/s", work: tokens / 1000 } },
  takesPart,
});

export function run(options) {
  const tokens = options.quick ? 512 : TOKENS;
  const blocks = options.quick || options.own ? [64] : BLOCKS;
  return stage(
    [
      ...ours("ours/lightning.mjs"),
      ...peer("onnxruntime-web", "peers/onnxruntime-lightning.mjs", { options: { platform: "web" } }),
      ...peer("onnxruntime-node", "peers/onnxruntime-lightning.mjs", { options: { platform: "node" }, native: true }),
    ],
    [...blocks.map((block) => heat({ tokens, block })), ...(options.quick ? [] : [heat(LONG)])],
    { ...options, rounds: Math.min(options.rounds, 5) },
  );
}
