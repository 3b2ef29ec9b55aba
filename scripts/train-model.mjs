// Trains the model in the box from nothing but a seed: tokenizer, weights, worked solutions of the tasks. Goes on where it stopped.
//   npm run train:model [-- --out DIR]      DIR: models/m1-puzzles-run by default
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MiniMaxM1 } from "../dist/node/index.js";
import { chatCodec, drawPuzzle, formatResponse, solutions, tasks } from "../dist/node/rl.js";
import { run, streamOf, Trainer, trainTokenizer } from "../dist/node/train.js";

const [SEED, VOCABULARY, TEXTS] = [7, 448, 8000];
const out = process.argv[process.argv.indexOf("--out") + 1] ?? "models/m1-puzzles-run";
const threads = Number(process.env.THREADS ?? 2);
const plan = {
  steps: Number(process.env.STEPS ?? 6000),
  batchTokens: Number(process.env.BATCH ?? 2048),
  lr: Number(process.env.LR ?? 4e-3),
  warmup: 200,
};

function* texts() {
  for (let i = 0; i < TEXTS; i++) {
    const { task, instance } = drawPuzzle(streamOf(SEED + 1, i), tasks, false);
    yield `user name=user\n${task.question(instance)}\nai name=assistant\n${formatResponse(task.solve(instance))}`;
  }
}

const files = trainTokenizer(texts(), { vocabSize: VOCABULARY, specialTokens: ["<answer>", "</answer>"] });
const config = {
  architectures: ["MiniMaxM1ForCausalLM"],
  model_type: "minimax_m1",
  torch_dtype: "bfloat16",
  hidden_act: "silu",
  vocab_size: VOCABULARY,
  hidden_size: 128,
  intermediate_size: 96,
  num_hidden_layers: 8,
  attn_type_list: [0, 0, 0, 0, 0, 0, 0, 1],
  num_attention_heads: 6,
  num_key_value_heads: 2,
  head_dim: 32,
  rotary_dim: 16,
  rope_theta: 10000,
  num_local_experts: 8,
  num_experts_per_tok: 2,
  postnorm: true,
  rms_norm_eps: 1e-5,
  layernorm_linear_attention_alpha: 2,
  layernorm_linear_attention_beta: 1,
  layernorm_full_attention_alpha: 2,
  layernorm_full_attention_beta: 1,
  layernorm_mlp_alpha: 2,
  layernorm_mlp_beta: 1,
  shared_intermediate_size: 0,
  shared_moe_mode: "sigmoid",
  tie_word_embeddings: false,
  initializer_range: 0.05,
  router_aux_loss_coef: 0.01,
  max_position_embeddings: 4096,
  bos_token_id: 442,
  eos_token_id: 443,
};
const model = await MiniMaxM1.create(config, { seed: SEED, files, build: "simd", threads });
if (model.tokenizer.vocabSize !== VOCABULARY) throw new Error(`vocabulary: ${model.tokenizer.vocabSize}`);
console.log(model.parameters, model.tokenizer.bosId, model.tokenizer.eosId, plan);
const codec = await chatCodec(model.tokenizer, (messages) => model.formatChat(messages));
const data = solutions(tasks, codec, { seed: SEED });
const heldOut = { data: solutions(tasks, codec, { seed: SEED + 2, heldOut: true }), documents: 192, every: 250 };
const trainer = new Trainer(model, { lr: plan.lr, weightDecay: 0.01, clipNorm: 1 });

mkdirSync(out, { recursive: true });
const state = join(out, "state.safetensors");
if (existsSync(state)) trainer.restore(readFileSync(state));
for await (const step of run(trainer, data, {
  steps: plan.steps,
  batchTokens: plan.batchTokens,
  schedule: { warmup: plan.warmup },
  heldOut,
})) {
  const { expertLoad, ...rest } = step;
  appendFileSync(join(out, "metrics.jsonl"), `${JSON.stringify(rest)}\n`);
  if (step.step % 50 === 0 || step.heldOutLoss) {
    console.log(
      step.step,
      step.crossEntropy.toFixed(4),
      step.auxLoss.toFixed(3),
      step.gradNorm.toFixed(2),
      step.tokensPerSecond.toFixed(0),
      step.heldOutLoss?.toFixed(4) ?? "",
    );
  }
  if (step.step % 100 === 0 || step.step === plan.steps) {
    writeFileSync(`${state}.tmp`, trainer.save());
    renameSync(`${state}.tmp`, state);
  }
}
await model.save(join(out, "model"));
