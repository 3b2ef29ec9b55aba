// A small run of reinforcement learning: a new model learns to sort three digits from 0 to 5. Runs in a worker.

import { MiniMaxM1, tinyM1 } from "lightning-m1";
import { type ProblemSource, trainPolicy } from "lightning-m1/rl";
import { streamOf, Trainer } from "lightning-m1/train";
import { initialBounds, type ObjectiveName, objectives } from "./token-weights.ts";

const BATCHES = 80;
/** Digits of a question, and of which there are: 0 to 5. */
const LENGTH = 3;
const VALUES = 6;
/** Token ids after the digits: the end of a question, and the end of a sequence, which answers of three tokens do not need. */
const QUESTION_END = VALUES;
const SEQUENCE_END = VALUES + 1;
/** The stream of the questions of samples. Those of training have other streams. */
const SAMPLE_STREAM = 2 ** 32 - 1;

/** A question and the model's most probable answer. */
export interface Sample {
  readonly question: readonly number[];
  readonly answer: readonly number[];
  readonly isRight: boolean;
}

/** What happened in one batch. */
export interface Step {
  readonly batch: number;
  /** Mean reward of the sampled answers: the share of digits in their right places. */
  readonly reward: number;
  /** Share of answers that are right as a whole. */
  readonly right: number;
  /** The answer to a new question after the updates of the batch. */
  readonly sample: Sample;
}

export interface RunChoice {
  readonly objective: ObjectiveName;
  readonly seed: number;
}

function questionOf(seed: number, index: number): number[] {
  const random = streamOf(seed, index);
  return Array.from({ length: LENGTH }, () => Math.floor(VALUES * random.next()));
}

/** The share of digits of an answer that are in their right places. */
export function rewardOf(question: readonly number[], answer: readonly number[]): number {
  const sorted = question.toSorted((a, b) => a - b);
  return sorted.filter((digit, i) => answer[i] === digit).length / LENGTH;
}

function sortingSource(seed: number): ProblemSource {
  return {
    name: "sorting",
    problem: (index) => {
      const question = questionOf(seed, index);
      return {
        prompt: [...question, QUESTION_END],
        judge: ({ ids }) => {
          const reward = rewardOf(question, ids);
          return { correct: reward === 1, total: reward, components: { digits: reward } };
        },
      };
    },
  };
}

/** A model of 274,000 parameters: three lightning layers and a softmax layer, four experts. */
function createModel(seed: number): Promise<MiniMaxM1> {
  const layers = [0, 0, 0, 1];
  const shape = { hidden_size: 64, intermediate_size: 64, num_attention_heads: 2, num_key_value_heads: 1, head_dim: 32, rotary_dim: 16 };
  const ids = { vocab_size: SEQUENCE_END + 1, bos_token_id: SEQUENCE_END, eos_token_id: SEQUENCE_END };
  const experts = { num_local_experts: 4, num_experts_per_tok: 2 };
  const config = { ...tinyM1.source, ...shape, ...experts, ...ids, num_hidden_layers: layers.length, attn_type_list: layers };
  return MiniMaxM1.create({ ...config, initializer_range: 0.05, rope_theta: 10_000 }, { seed, threads: 1 });
}

async function sampleAnswer(model: MiniMaxM1, question: readonly number[]): Promise<Sample> {
  const answer: number[] = [];
  for await (const { id } of model.generate([...question, QUESTION_END], { maxTokens: LENGTH })) answer.push(id);
  return { question, answer, isRight: rewardOf(question, answer) === 1 };
}

/** Trains a new model. The same choice always gives the same steps on the same build of the kernels. */
export async function* sortingRun({ objective, seed }: RunChoice, batches = BATCHES): AsyncGenerator<Step, void, undefined> {
  const model = await createModel(seed);
  try {
    const trainer = new Trainer(model, { lr: 1.5e-3, weightDecay: 0, clipNorm: 1, auxLossCoef: 0 });
    const steps = trainPolicy(model, trainer, [sortingSource(seed)], {
      ...{ batches, groups: 32, groupSize: 8, minibatches: 4, maxTokens: LENGTH, seed },
      // Digits in their right places count, so that groups without a right answer are learned from as well.
      rounds: 0,
      objective: (minibatch) => objectives[objective].loss(minibatch, initialBounds),
    });
    for await (const { batch, rewards, accuracy } of steps) {
      const sample = await sampleAnswer(model, questionOf(SAMPLE_STREAM, batch));
      yield { batch, reward: rewards.total!, right: accuracy, sample };
    }
  } finally {
    model.dispose();
  }
}
