import { pause } from "../generate/batch.js";
import { InputError } from "../runtime/errors.js";
import { SEEDS } from "../runtime/options.js";
import { streamOf } from "../train/data.js";
import { rateAt } from "../train/schedule.js";
import type { Trainer } from "../train/trainer.js";
import { drawPart, mixture, nextWindow, type WindowState } from "./curriculum/index.js";
import { cispo } from "./objectives/index.js";
import { describe, type PolicyMetrics, policyState, type UpdateMetrics } from "./policy-metrics.js";
import { type PolicyOptions, parsePolicyOptions, windowsOf } from "./policy-options.js";
import { documentOf, updatePolicy } from "./policy-update.js";
import type { ProblemSource } from "./problem.js";
import type { Sampler } from "./rollout.js";
import { sampleDynamically } from "./sampling.js";

/** What a run has to know to go on, besides the trainer's state: plain data, kept in it. */
interface Progress {
  batch: number;
  problems: number;
  window: WindowState;
  /** Share of right answers by source, a moving mean. */
  passRates: Record<string, number>;
}

/** How much of a pass rate the last batch decides. */
const NEWS = 0.3;

/**
 * Reinforcement learning with verifiable rewards (M1 report, sections 3 and 4): sample groups of responses, judge them, learn from them in a few updates, sample again.
 *
 *     A = group-relative advantages of the rewards
 *     log π_old = what the trainer's own forward pass gives the responses before the first update
 *     update by update: loss = objective(log π, log π_old, A) over a minibatch of groups
 *
 * Goes on from wherever the trainer stands: after `trainer.restore(trainer.save())`, in another process too, the numbers are those of one uninterrupted run with the same options, sources and build, if the sampler
 * is the model that is trained. Between two batches, while the loop's body runs, the trainer can be saved and the model used.
 *
 * @param model who samples: the model that is trained, or one on a server that is kept up to date by the loop's body
 * @param trainer of that model, with the learning rate; its `temperature` is that of the sampling too
 * @throws {InputError} options or sources that do not fit
 * @throws {LightningError} a loss or a gradient that is not finite; the weights are those of the update before
 */
export async function* trainPolicy(
  model: Sampler,
  trainer: Trainer,
  sources: readonly ProblemSource[],
  options: PolicyOptions,
): AsyncGenerator<PolicyMetrics> {
  const settings = parsePolicyOptions(options, "trainPolicy");
  checkSources(sources);
  const { batches, groupSize, minibatches, epochs, seed, signal, objective = cispo, aggregation } = settings;
  const windows = windowsOf(settings.maxTokens);
  const progress = (structuredClone(trainer.progress) as Progress | undefined) ?? begin(windows.windows[0]!);
  const { temperature } = trainer.options;

  while (progress.batch < batches) {
    signal?.throwIfAborted();
    const began = performance.now();
    const maxTokens = progress.window.tokens;
    const shares = sharesOf(sources, settings.followPassRates ? progress.passRates : {});
    const draw = () => {
      const index = progress.problems++;
      const source = drawPart(streamOf((seed + 1) % SEEDS, index), shares);
      return { source, problem: sources[source]!.problem(index) };
    };
    const seeds = streamOf((seed + 2) % SEEDS, progress.batch);
    const { kept, sampled } = await sampleDynamically(model, draw, settings.groups, {
      ...{ rounds: settings.rounds, groupSize, maxTokens, temperature, advantages: settings.advantages },
      nextSeed: () => Math.floor(seeds.next() * SEEDS),
      ...(settings.overlong > 0 && { overlongCache: Math.floor(settings.overlong * maxTokens) }),
      ...(settings.repetition !== undefined && { repetition: settings.repetition }),
      ...(signal && { signal }),
    });
    const sampling = seconds(began);

    const samples = kept.flatMap((group) => group.samples);
    const old = samples.length > 0 ? trainer.likelihoods(samples.map(documentOf)) : [];
    const logpOld = old.map(({ logp }) => logp);
    const updates: UpdateMetrics[] = [];
    for (let epoch = 0; epoch < epochs; epoch++) {
      for (const [from, to] of pieces(kept.length, minibatches, groupSize)) {
        await pause();
        const minibatch = samples.slice(from, to);
        // Without anything to learn AdamW would move on its momentum alone.
        if (minibatch.every(({ advantage }) => advantage === 0)) continue;
        const lr = trainer.options.lr * rateAt(trainer.steps, batches * minibatches * epochs, settings.schedule);
        updates.push(updatePolicy(trainer, minibatch, logpOld.slice(from, to), { objective, aggregation, groupSize, lr }));
      }
    }

    const { allRight, allWrong, ...described } = describe(sampled, sources, maxTokens);
    const policy = samples.length > 0 ? policyState(samples, old, temperature) : undefined;
    const lengths = sampled.flatMap((group) => group.samples.map(({ ids }) => ids.length));
    progress.batch++;
    progress.passRates = moved(progress.passRates, described.sources);
    if (policy) progress.window = nextWindow(progress.window, { perplexity: policy.perplexity, lengths }, windows);
    trainer.progress = structuredClone(progress);
    yield {
      ...{ batch: progress.batch, step: trainer.steps, problems: progress.problems },
      groups: { sampled: sampled.length, kept: kept.length, allRight, allWrong },
      ...described,
      ...(policy && { policy }),
      updates,
      seconds: { sampling, learning: seconds(began) - sampling },
      tokensPerSecond: lengths.reduce((sum, length) => sum + length, 0) / sampling,
    };
  }
}

function begin(tokens: number): Progress {
  return { batch: 0, problems: 0, window: { tokens, perplexities: [] }, passRates: {} };
}

/** How likely each source is. */
function sharesOf(sources: readonly ProblemSource[], passRates: Progress["passRates"]): Float64Array {
  return mixture(sources.map(({ name, weight = 1 }) => ({ weight, ...(name in passRates && { passRate: passRates[name]! }) })));
}

function moved(passRates: Progress["passRates"], seen: PolicyMetrics["sources"]): Progress["passRates"] {
  const news = Object.entries(seen).map(([name, { accuracy }]) => {
    const before = passRates[name] ?? accuracy;
    return [name, before + NEWS * (accuracy - before)];
  });
  return { ...passRates, ...Object.fromEntries(news) };
}

/** Ranges of samples: groups in pieces as equal as can be, none of them empty. */
function pieces(groups: number, minibatches: number, groupSize: number): [from: number, to: number][] {
  const count = Math.min(minibatches, groups);
  const at = (i: number) => Math.floor((i * groups) / count) * groupSize;
  return Array.from({ length: count }, (_, i) => [at(i), at(i + 1)]);
}

/** @throws {InputError} no sources, things that are none, or two of the same name */
function checkSources(sources: readonly ProblemSource[]): void {
  if (!Array.isArray(sources) || sources.length === 0) throw new InputError("trainPolicy: sources: expected at least one, got none");
  for (const [i, source] of sources.entries()) {
    if (typeof source?.name !== "string" || typeof source.problem !== "function") {
      throw new InputError(`trainPolicy: sources[${i}]: expected { name, problem(index) }, got something else`);
    }
    const twin = sources.findIndex(({ name }) => name === source.name);
    if (twin < i)
      throw new InputError(`trainPolicy: sources[${i}]: expected a name of its own, got "${source.name}", as sources[${twin}] has`);
  }
}

function seconds(began: number): number {
  return (performance.now() - began) / 1000;
}
