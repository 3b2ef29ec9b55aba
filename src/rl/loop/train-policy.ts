import { InputError, LightningError } from "../../base/errors.js";
import { yieldToEventLoop } from "../../base/event-loop.js";
import { isObjectLike, SEED_LIMIT } from "../../base/options.js";
import { Random } from "../../base/random.js";
import { isTokenIds } from "../../model/token-ids.js";
import { streamOf } from "../../train/datasets.js";
import { scheduleFactor } from "../../train/schedule.js";
import type { Trainer } from "../../train/trainer.js";
import { expectMethods } from "../arguments.js";
import { drawPart, mixture, nextWindow } from "../curriculum/index.js";
import type { AnySource, EpisodeProblem, Problem } from "../data/problem.js";
import { cispo } from "../objectives/index.js";
import { detectCollapse } from "./collapse-detection.js";
import { type JudgingSummary, sampleDynamically } from "./dynamic-sampling.js";
import { type PolicyMetrics, policyState, summariseSamples, type UpdateMetrics } from "./policy-metrics.js";
import { type PolicyOptions, parsePolicyOptions, windowsOf } from "./policy-options.js";
import { type PolicyProgress, readProgress, updatePassRates } from "./policy-progress.js";
import { sampleToDocument, updatePolicy } from "./policy-update.js";
import { referenceLogprobs } from "./reference-policy.js";
import type { Sampler } from "./rollout.js";

/** Trainers with an active run. */
const trainersInUse = new WeakSet<Trainer>();

/**
 * Trains a policy by reinforcement learning with verifiable rewards (M1 report, sections 3 and 4), and yields metrics after each generation
 * batch. A batch samples groups of responses, judges them, and updates the policy a few times:
 *
 *     A = group-relative advantages of the rewards
 *     log π_old = log-probabilities of the responses in the trainer's forward pass, before the first update
 *     log π_ref = log-probabilities of the responses under the reference policy, if there is one
 *     per update: loss = objective(log π, log π_old, A) over a minibatch of groups
 *
 * Between two batches, while the body of the caller's loop runs, the trainer can be saved and the model can be used.
 *
 * A run resumes from the state of the trainer. After `trainer.restore(trainer.save())`, even in another process, the results equal those of
 * an uninterrupted run. This holds if options, sources and build are the same, and if the trained model itself samples the responses.
 *
 * @param model samples the responses. It is the model being trained, or a model on a server to which the body of the loop sends the new
 *   weights
 * @param trainer the trainer of the model. It determines the learning rate, and its `temperature` applies to the sampling too
 * @param sources the sources of problems, with unique names
 * @throws {InputError} invalid options, sources, problems or judgements, or a trainer whose progress belongs to another kind of run
 * @throws {LightningError} a non-finite loss or gradient (the weights remain as after the previous update; restore the trainer to
 *   continue), a trainer that already has an active run, or a batch without any judged response
 */
export async function* trainPolicy(
  model: Sampler,
  trainer: Trainer,
  sources: readonly AnySource[],
  options: PolicyOptions,
): AsyncGenerator<PolicyMetrics> {
  const settings = parsePolicyOptions(options, "trainPolicy");
  expectMethods("trainPolicy: model", model, "a model", ["generateBatch"]);
  expectMethods("trainPolicy: trainer", trainer, "a Trainer", ["step", "likelihoods", "trains"]);
  checkSources(sources);
  if (settings.reference && trainer.trains(settings.reference))
    throw new InputError(
      "trainPolicy: reference: expected a second model, got the trained model itself (load the checkpoint a second time)",
    );
  if (trainersInUse.has(trainer))
    throw new LightningError("trainPolicy: trainer: expected a trainer without an active run, got a trainer in use (end its run first)");
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
  sources: readonly AnySource[],
  settings: ReturnType<typeof parsePolicyOptions>,
): AsyncGenerator<PolicyMetrics> {
  const { batches, groupSize, minibatches, epochs, signal, objective = cispo, reference, onWarning } = settings;
  const windows = windowsOf(settings.maxTokens);
  const progress = readProgress(trainer, windows.windows);
  const { temperature } = trainer.options;
  const perBatch = minibatches * epochs;
  // Each purpose gets its own seed. These seeds also differ from those of the sources.
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
        // The update is skipped. Without advantages, AdamW would still move the weights by its momentum.
        if (minibatch.every(({ advantage }) => advantage === 0)) continue;
        const lr =
          trainer.options.lr *
          scheduleFactor(progress.batch * perBatch + epoch * minibatches + place, batches * perBatch, settings.schedule);
        const logps = { logpOld: logpOld.slice(from, to), logpRef: logpRef?.slice(from, to) };
        updates.push(updatePolicy(trainer, minibatch, logps, { objective, groupSize, lr }));
      }
    }

    const warnings = judgingWarnings(judging, sampled.length * groupSize);
    const lengths = sampled.flatMap((group) => group.samples.map(({ logp }) => logp.length));
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
    const prefixed = warnings.map((warning) => `batch ${progress.batch}: ${warning}`);
    for (const warning of prefixed) onWarning?.(warning);
    yield {
      ...{ batch: progress.batch, step: trainer.steps, problems: progress.problems },
      groups: { sampled: sampled.length, kept: kept.length, allRight, allWrong },
      ...described,
      ...{ judging: { failed: judging.failed, retried: judging.retried } },
      ...(policy && { policy }),
      updates,
      warnings: prefixed,
      seconds: { sampling: samplingSeconds, learning: secondsSince(began) - samplingSeconds },
      tokensPerSecond: lengths.reduce((sum, length) => sum + length, 0) / samplingSeconds,
    };
  }
}

function drawSeed(random: Random): number {
  return Math.floor(random.next() * SEED_LIMIT);
}

/** Checks a problem that a source returned. @throws {InputError} an invalid problem */
function checkProblem(problem: Problem | EpisodeProblem, where: string): Problem | EpisodeProblem {
  if (isObjectLike(problem) && "play" in problem && typeof problem.play === "function") return problem;
  const { prompt, judge } = (problem ?? {}) as Partial<Problem>;
  if (!(isTokenIds(prompt) && prompt.length > 0 && typeof judge === "function")) {
    throw new InputError(`${where}: expected { prompt, judge } with at least one token id and a function, got another value`);
  }
  return problem;
}

/** Checks that at least one response was judged. @throws {LightningError} none was judged */
function checkJudging({ failed, error }: JudgingSummary, responses: number, where: string): void {
  if (failed < responses) return;
  const why = error ? `the first call failed with: ${error.message}` : "the judge returned null for every response";
  throw new LightningError(
    `${where}: none of ${responses} responses was judged; ${why} (check the judge; the option judging sets retries, time limit and concurrency)`,
    { cause: error },
  );
}

function judgingWarnings({ failed, error }: JudgingSummary, responses: number): string[] {
  if (failed === 0) return [];
  const why = error ? ` (the first error: ${error.message})` : "";
  return [`${failed} of ${responses} responses were not judged${why} and do not affect training. Check the judge.`];
}

/** Computes the probability of drawing each source. */
function sourceShares(sources: readonly AnySource[], passRates: PolicyProgress["passRates"]): Float64Array {
  return mixture(
    sources.map(({ name, weight = 1 }) => ({ weight, ...(Object.hasOwn(passRates, name) && { passRate: passRates[name]! }) })),
  );
}

/** Splits the groups into non-empty minibatches of nearly equal size, as ranges of samples. */
function minibatchRanges(groups: number, minibatches: number, groupSize: number): [from: number, to: number][] {
  const count = Math.min(minibatches, groups);
  const at = (i: number) => Math.floor((i * groups) / count) * groupSize;
  return Array.from({ length: count }, (_, i) => [at(i), at(i + 1)]);
}

/** Checks the sources. @throws {InputError} no sources, an invalid source, or two sources with the same name */
function checkSources(sources: readonly AnySource[]): void {
  if (!Array.isArray(sources) || sources.length === 0) throw new InputError("trainPolicy: sources: expected at least one source, got none");
  for (const [i, source] of sources.entries()) {
    if (typeof source?.name !== "string" || typeof source.problem !== "function") {
      throw new InputError(`trainPolicy: sources[${i}]: expected { name, problem(index) }, got another value`);
    }
    const twin = sources.findIndex(({ name }) => name === source.name);
    if (twin < i)
      throw new InputError(
        `trainPolicy: sources[${i}]: expected a unique name, got "${source.name}", which is also the name of sources[${twin}]`,
      );
  }
}

function secondsSince(began: number): number {
  return (performance.now() - began) / 1000;
}
