// Lightning attention over all heads of a sequence, against the same chunked computation in onnxruntime at every block it may like.

import { stage } from "../contest.mjs";
import { ours, peer } from "../contestants.mjs";

const BLOCKS = [16, 32, 64, 128, 256];
const TOKENS = 16384;

export async function run(options) {
  const tokens = options.quick ? 512 : TOKENS;
  const blocks = options.quick || options.own ? [64] : BLOCKS;
  return stage(
    [
      ...ours("ours/lightning.mjs"),
      ...peer("onnxruntime-web", "peers/onnxruntime-lightning.mjs", { options: { platform: "web" } }),
      ...peer("onnxruntime-node", "peers/onnxruntime-lightning.mjs", { options: { platform: "node" }, native: true }),
    ],
    blocks.map((block) => ({
      title: `lightning attention, 8 heads of 128, ${tokens} tokens, onnxruntime in blocks of ${block}`,
      task: { kind: "lightning", tokens, heads: 8, headDim: 128, block },
      metrics: { run: { unit: "ktoken/s", work: tokens / 1000 } },
    })),
    { ...options, rounds: Math.min(options.rounds, 5) },
  );
}
