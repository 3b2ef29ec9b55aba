import { InputError, LightningError } from "../../base/errors.js";
import { yieldToEventLoop } from "../../base/event-loop.js";
import { SEED_LIMIT } from "../../base/options.js";
import { Random } from "../../base/random.js";
import { isTokenIds } from "../../model/token-ids.js";
import { streamOf } from "../../train/datasets.js";
import { scheduleFactor } from "../../train/schedule.js";
import type { Trainer } from "../../train/trainer.js";
import { drawPart, mixture, nextWindow } from "../curriculum/index.js";
import type { Problem, ProblemSource } from "../data/problem.js";
import { cispo } from "../objectives/index.js";
import { detectCollapse } from "./collapse-detection.js";
import { type JudgingSummary, sampleDynamically } from "./dynamic-sampling.js";
import { type PolicyMetrics, policyState, summariseSamples, type UpdateMetrics } from "./policy-metrics.js";
import { type PolicyOptions, parsePolicyOptions, windowsOf } from "./policy-options.js";
import { type PolicyProgress, readProgress, updatePassRates } from "./policy-progress.js";
import { sampleToDocument, updatePolicy } from "./policy-update.js";
import { referenceLogprobs } from "./reference-policy.js";
import type { Sampler } from "./rollout.js";

/** Trainers that a run is under way with. */
const trainersInUse = new WeakSet<Trainer>();

/**
 * Reinforcement learning with verifiable rewards (M1 report, sections 3 and 4): sample groups of responses, judge them, learn from them in a few updates, sample again.
 *
 *     A = group-relative advantages of the rewards
 *     log π_old = what the trainer's own forward pass gives the responses before the first update
 *     log π_ref = the same of the reference, if there is one
 *     update by update: loss = objective(log π, log π_old, A) over a minibatch of groups
 *
 * Goes on from wherever the trainer stands: after `trainer.restore(trainer.save())`, in another process too, the numbers are those of one uninterrupted run with the same options, sources and build, if the sampler
 * is the model that is trained. Between two batches, while the loop's body runs, the trainer can be saved and the model used.
 *
 * @param model who samples: the model that is trained, or one on a server that is kept up to date by the loop's body
 * @param trainer of that model, with the learning rate; its `temperature` is that of the sampling too
 * @throws {InputError} options, sources or judgements that do not fit, or a trainer that stands in something else than a run of these windows
 * @throws {LightningError} a loss or a gradient that is not finite; the weights are those of the update before, and the trainer has to be restored to go on. Another run with the same trainer
 */
export async function* trainPolicy(
  model: Sampler,
  trainer: Trainer,
  sources: readonly ProblemSource[],
  options: PolicyOptions,
): AsyncGenerator<PolicyMetrics> {
  const settings = parsePolicyOptions(options, "trainPolicy");
  checkSources(sources);
  if (settings.reference && trainer.trains(settings.reference))
    throw new InputError(
      "trainPolicy: reference: expected a model of its own, got the one that is trained (load the checkpoint once more)",
    );
  if (trainersInUse.has(trainer))
    throw new LightningError("trainPolicy: trainer: expected one without a run, got one with a run under way (end that first)");
  trainersInUse.add(trainer);
  try {
    yield* runBatches(model, trainer, sources, settings);
  } finally {
    trainersInUse.delete(trainer);
  }
}

async function* runBatches(
  model: Sampler,
  trainer: Trainer,
  sources: readonly ProblemSource[],
  settings: ReturnType<typeof parsePolicyOptions>,
): AsyncGenerator<PolicyMetrics> {
  const { batches, groupSize, minibatches, epochs, signal, objective = cispo, reference, onWarning } = settings;
  const windows = windowsOf(settings.maxTokens);
  const progress = readProgress(trainer, windows.windows);
  const { temperature } = trainer.options;
  const perBatch = minibatches * epochs;
  // One seed for each purpose, unlike those of the sources.
  const own = Random.seeded(settings.seed);
  const [choosing, sampling] = [drawSeed(own), drawSeed(own)];

  while (progress.batch < batches) {
    signal?.throwIfAborted();
    const began = performance.now();
    const maxTokens = progress.window.tokens;
    const shares = sourceShares(sources, settings.followPassRates ? progress.passRates : {});
    const draw = () => {
      const index = progress.problems++;
      const source = drawPart(streamOf(choosing, index), shares);
      const name = `trainPolicy: ${sources[source]!.name}: problem ${index}`;
      return { source, name, problem: checkProblem(sources[source]!.problem(index), name) };
    };
    const seeds = streamOf(sampling, progress.batch);
    const { kept, sampled, judging } = await sampleDynamically(model, draw, settings.groups, {
      ...{ rounds: settings.rounds, groupSize, maxTokens, temperature, advantages: settings.advantages, judging: settings.judging },
      nextSeed: () => drawSeed(seeds),
      ...(settings.overlong > 0 && { overlongCache: Math.floor(settings.overlong * maxTokens) }),
      ...(settings.repetition !== undefined && { repetition: settings.repetition }),
      ...(signal && { signal }),
    });
    const samplingSeconds = secondsSince(began);
    checkJudging(judging, sampled.length * groupSize, `trainPolicy: batch ${progress.batch + 1}`);

    const samples = kept.flatMap((group) => group.samples);
    const documents = samples.map(sampleToDocument);
    const old = samples.length > 0 ? trainer.likelihoods(documents) : [];
    const logpOld = old.map(({ logp }) => logp);
    const logpRef = samples.length > 0 && reference ? referenceLogprobs(reference, documents, trainer.options) : undefined;
    const { allRight, allWrong, ...described } = summariseSamples(sampled, sources, maxTokens);
    const policy = samples.length > 0 ? policyState(samples, old, temperature) : undefined;
    const updates: UpdateMetrics[] = [];
    trainer.progress = { ...structuredClone(progress), learning: true };
    for (let epoch = 0; epoch < epochs; epoch++) {
      for (const [place, [from, to]] of minibatchRanges(kept.length, minibatches, groupSize).entries()) {
        await yieldToEventLoop();
        const minibatch = samples.slice(from, to);
        // Without anything to learn AdamW would move on its momentum alone.
        if (minibatch.every(({ advantage }) => advantage === 0)) continue;
        const lr =
          trainer.options.lr *
          scheduleFactor(progress.batch * perBatch + epoch * minibatches + place, batches * perBatch, settings.schedule);
        const logps = { logpOld: logpOld.slice(from, to), logpRef: logpRef?.slice(from, to) };
        updates.push(updatePolicy(trainer, minibatch, logps, { objective, groupSize, lr }));
      }
    }

    const warnings = judgingWarnings(judging, sampled.length * groupSize);
    const lengths = sampled.flatMap((group) => group.samples.map(({ ids }) => ids.length));
    progress.batch++;
    progress.passRates = updatePassRates(progress.passRates, described.sources);
    if (policy) progress.window = nextWindow(progress.window, { perplexity: policy.perplexity, lengths }, windows);
    const watched = detectCollapse(progress.watch, {
      ...{ accuracy: described.accuracy, sources: described.sources, updates, groupSize, lr: trainer.options.lr },
      ...(policy && { policy }),
    });
    progress.watch = watched.state;
    warnings.push(...watched.warnings);
    trainer.progress = structuredClone(progress);
    const told = warnings.map((warning) => `batch ${progress.batch}: ${warning}`);
    for (const warning of told) onWarning?.(warning);
    yield {
      ...{ batch: progress.batch, step: trainer.steps, problems: progress.problems },
      groups: { sampled: sampled.length, kept: kept.length, allRight, allWrong },
      ...described,
      ...{ judging: { failed: judging.failed, retried: judging.retried } },
      ...(policy && { policy }),
      updates,
      warnings: told,
      seconds: { sampling: samplingSeconds, learning: secondsSince(began) - samplingSeconds },
      tokensPerSecond: lengths.reduce((sum, length) => sum + length, 0) / samplingSeconds,
    };
  }
}

function drawSeed(random: Random): number {
  return Math.floor(random.next() * SEED_LIMIT);
}

/** @throws {InputError} what a source gave is no problem */
function checkProblem(problem: Problem, where: string): Problem {
  if (!(isTokenIds(problem?.prompt) && problem.prompt.length > 0 && typeof problem.judge === "function")) {
    throw new InputError(`${where}: expected { prompt, judge } with at least one token id, got something else`);
  }
  return problem;
}

/** @throws {LightningError} no judgement came for any response */
function checkJudging({ failed, error }: JudgingSummary, responses: number, where: string): void {
  if (failed < responses) return;
  const why = error ? `the first failed with: ${error.message}` : "the judge gave null for each";
  throw new LightningError(
    `${where}: none of ${responses} responses was judged; ${why} (check the judge; judging sets how often, how long and how many at a time it is asked)`,
    { cause: error },
  );
}

function judgingWarnings({ failed, error }: JudgingSummary, responses: number): string[] {
  if (failed === 0) return [];
  const why = error ? ` (the first error: ${error.message})` : "";
  return [`${failed} of ${responses} responses were not judged${why}. They teach nothing; check the judge.`];
}

/** How likely each source is. */
function sourceShares(sources: readonly ProblemSource[], passRates: PolicyProgress["passRates"]): Float64Array {
  return mixture(
    sources.map(({ name, weight = 1 }) => ({ weight, ...(Object.hasOwn(passRates, name) && { passRate: passRates[name]! }) })),
  );
}

/** Ranges of samples: groups in pieces as equal as can be, none of them empty. */
function minibatchRanges(groups: number, minibatches: number, groupSize: number): [from: number, to: number][] {
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

function secondsSince(began: number): number {
  return (performance.now() - began) / 1000;
}
