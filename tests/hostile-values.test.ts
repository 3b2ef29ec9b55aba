// Every function of the main entry, and of training, serving, remote models, models in workers and the AI SDK, with every argument, and every part of it, replaced by a value that does not belong there: what comes is a result or
// one of the library's own errors.

import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import * as aiSdk from "../src/ai-sdk/index.js";
import * as analysis from "../src/analysis/index.js";
import * as environments from "../src/environments/index.js";
import * as main from "../src/index.js";
import * as remote from "../src/remote/index.js";
import * as rl from "../src/rl/index.js";
import * as serve from "../src/serve/index.js";
import * as train from "../src/train/index.js";
import * as worker from "../src/worker/index.js";
import { files, goldPatch, instance as repair } from "./environments/software/small-project.js";
import { SMALL, singleFile } from "./support/checkpoints.js";
import { MemoryStore } from "./support/memory-store.js";
import { scriptedModel } from "./support/scripted-model.js";

const { LightningError, MiniMaxM1 } = main;

function detached<T extends Uint8Array | Uint32Array | Float32Array>(array: T): T {
  structuredClone(array.buffer, { transfer: [array.buffer] });
  return array;
}

/** Made anew for each call: some are used up. */
const hostile: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  true: () => true,
  "-1": () => -1,
  "0": () => 0,
  "1.5": () => 1.5,
  NaN: () => Number.NaN,
  Infinity: () => Number.POSITIVE_INFINITY,
  "1n": () => 1n,
  '""': () => "",
  '"x"': () => "x",
  "a symbol": () => Symbol("s"),
  "{}": () => ({}),
  "an object without prototype": () => Object.create(null),
  "an object that cannot be printed": () => ({
    toString: () => {
      throw new RangeError("not to be printed");
    },
    toJSON: () => {
      throw new RangeError("not to be written");
    },
  }),
  "a circle": () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    return circle;
  },
  "[]": () => [],
  "[null]": () => [null],
  "[a symbol]": () => [Symbol("s")],
  "[an object without prototype]": () => [Object.create(null)],
  "a function": () => () => undefined,
  "detached bytes": () => detached(new Uint8Array(4)),
  "detached ids": () => detached(Uint32Array.of(2, 3)),
  "a detached buffer": () => detached(new Uint8Array(4)).buffer,
  "a map": () => new Map([[Symbol("s"), null]]),
};

/** What other functions make is handed on as a whole: its properties are not the caller's. */
const made = new WeakSet<object>();

function whole<T extends object>(value: T): T {
  made.add(value);
  return value;
}

/** Configurations have tests of their own. */
const CONFIG = whole({ ...SMALL });

/** An argument, and copies of it with one of its properties or elements replaced, two levels deep. */
function* variants(value: unknown, depth = 2): Generator<{ at: string; with: (x: unknown) => unknown }> {
  yield { at: "", with: (x) => x };
  const plain = Array.isArray(value) || (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype);
  if (!plain || depth === 0 || made.has(value as object)) return;
  const entries = Object.entries(value as object);
  // Elements are alike.
  for (const [key, item] of Array.isArray(value) ? entries.slice(0, 1) : entries) {
    for (const inner of variants(item, depth - 1)) {
      yield {
        at: `.${key}${inner.at}`,
        with: (x) => {
          const copy = (Array.isArray(value) ? [...value] : { ...(value as object) }) as Record<string, unknown>;
          copy[key] = inner.with(x);
          return copy;
        },
      };
    }
  }
}

/** A function and arguments that it takes; a string in place of them says why there are none. */
type Call = readonly [f: (...args: never[]) => unknown, ...args: unknown[]];

const method = <T extends object, Name extends keyof T>(object: T, name: Name) =>
  (object[name] as (...args: never[]) => unknown).bind(object);

/** What a function makes has memory of its own. */
function disposed(f: (...args: never[]) => unknown): (...args: never[]) => Promise<void> {
  return async (...args) => ((await f(...args)) as { dispose(): void }).dispose();
}

/** Calls to the end: promises are awaited, of streams the first item. */
async function run(f: (...args: never[]) => unknown, args: readonly unknown[]): Promise<void> {
  const result = await (f as (...args: unknown[]) => unknown)(...args);
  const stream = result as Partial<AsyncGenerator> | undefined;
  if (typeof stream?.next !== "function" || typeof stream.return !== "function") return;
  await stream.next();
  await stream.return(undefined);
}

async function faults(name: string, [f, ...args]: Call): Promise<string[]> {
  const found: string[] = [];
  for (const [i, arg] of args.entries()) {
    for (const variant of variants(arg)) {
      for (const [label, make] of Object.entries(hostile)) {
        const changed = args.map((one, at) => (at === i ? variant.with(make()) : one));
        try {
          await run(f, changed);
        } catch (error) {
          if (error instanceof LightningError) continue;
          found.push(
            `${name}: argument ${i}${variant.at} = ${label}: ${error instanceof Error ? `${error.name}: ${error.message}` : "not an Error"}`,
          );
        }
      }
    }
  }
  return found;
}

/** A server that gives the same answer to every request. */
const answered = async () =>
  Response.json({
    data: [{ id: "m" }],
    choices: [{ index: 0, text: "a", message: { content: "a" }, finish_reason: "stop" }],
  });

/** Arguments are checked before the worker starts. */
const noWorker = () => {
  throw new Error("no worker");
};

let model: main.MiniMaxM1;
let boxed: main.MiniMaxM1;
let far: remote.RemoteModel;
let threaded: worker.WorkerModel;
let trace: environments.Trace;
let calls: Record<string, Record<string, Call | string>>;

const downloads = whole(new MemoryStore());
const scripted = scriptedModel(() => "a");
const tool = { name: "t", description: "", parameters: { type: "object" }, run: () => 1 };
const domain: environments.DialogueDomain = { name: "d", policy: "p", tools: [], assertions: {}, database: {}, userDatabase: {} };
const environment: environments.Environment = {
  name: "e",
  start: () => ({
    messages: [{ role: "user", content: "a" }],
    step: () => ({ messages: [], terminated: true }),
    score: () => ({ rewards: { right: 1 } }),
  }),
};

beforeAll(async () => {
  trace = await environments.playEpisode(scripted, environment, { id: "a" }, { seed: 1 });
  model = await MiniMaxM1.load(singleFile(), { threads: 1 });
  boxed = await MiniMaxM1.load(undefined, { threads: 1 });
  threaded = await worker.createWorkerModel(singleFile(), { threads: 1 });
  // Where no function stands in for it.
  vi.stubGlobal("fetch", answered);
  far = await remote.RemoteModel.connect("http://127.0.0.1:9/v1", { model: "m", fetch: answered, retries: 0 });
  const random = whole(rl.Random.seeded(1));
  const task = whole(rl.arithmeticChain);
  const instance = whole(task.generate(rl.Random.seeded(1), 1) as object);
  const puzzle = whole({ task, level: 1, instance });
  const judging = whole({ retries: 0 });
  const codec = whole({ prompt: () => [1], response: () => [1] });
  const solver = whole({
    async *generateBatch() {
      yield { index: 0, id: 1, text: "a", logprob: -1, stop: "length" };
    },
  });
  const trainer = whole(new train.Trainer(model));
  const row = rl.generateRows("kukurasu")[0]!;
  const result = { ...row, index: 0, samples: [{ response: "[[]]", tokens: 1, right: false, reason: "" }], pass_rate: 0 };
  const answeredPuzzle = { question: "a", text: "a", tokens: 1, puzzle };
  const policyBatch = { logp: [[-1]], logpOld: [[-1]], logpRef: [[-1]], mask: [[1]], advantages: [1], groups: [0] };
  calls = {
    main: {
      availableBuilds: [main.availableBuilds],
      cacheBytes: [main.cacheBytes, whole(main.tinyM1), 100, "bf16"],
      decaySlopes: [main.decaySlopes, whole(main.tinyM1), 0],
      deleteDownload: [main.deleteDownload, "x", { name: "x", store: downloads }],
      estimateMemory: [main.estimateMemory, CONFIG, { context: 4 }],
      exportGguf: [main.exportGguf, singleFile(), "/dev/null/model.gguf", { dtype: "f16", retries: 0 }],
      formatBytes: [main.formatBytes, 1],
      formatChat: [
        main.formatChat,
        [{ role: "user", content: [{ type: "text", text: "a" }] }],
        { tools: [{}], addGenerationPrompt: true, template: "{{ a }}", variables: { a: 1 } },
      ],
      graph: [main.graph, CONFIG],
      inspectCheckpoint: [main.inspectCheckpoint, singleFile(), { localFilesOnly: true }],
      listDownloads: [main.listDownloads, { name: "x", store: downloads }],
      maskUrls: [main.maskUrls, "https://user:password@host/"],
      parseAssistant: [main.parseAssistant, "a", { opened: true }],
      parseConfig: [main.parseConfig, CONFIG, () => {}],
      measureDownloads: [main.measureDownloads, { name: "x", store: downloads }],
      readTensors: [main.readTensors, singleFile(), { names: ["lm_head.weight"] }],
      "MiniMaxM1.load": [disposed(MiniMaxM1.load), singleFile(), { threads: 1, dtype: "f32" }],
      "MiniMaxM1.create": [disposed(MiniMaxM1.create), CONFIG, { seed: 1, threads: 1 }],
      "MiniMaxM1.formula": [disposed(MiniMaxM1.formula), CONFIG, { threads: 1 }],
      "model.forward": [method(model, "forward"), [[1, 2]], { logits: "last", cache: undefined }],
      "model.forwardAsync": [method(model, "forwardAsync"), [[1, 2]], { logits: "last" }],
      "model.generate": [method(model, "generate"), [1, 2], { maxTokens: 1, seed: 1, stop: ["a"], stopIds: [1] }],
      "model.generate, messages": [method(boxed, "generate"), [{ role: "user", content: "a" }], { maxTokens: 1, tools: [{}] }],
      "model.generateBatch": [method(model, "generateBatch"), [[1, 2]], { maxTokens: 1 }],
      "model.formatChat": [method(boxed, "formatChat"), [{ role: "user", content: "a" }], { tools: [{}] }],
      "model.session": [disposed(method(model, "session")), { seed: 1 }],
      "session.generate": [(input: never, options: never) => model.session().generate(input, options), [1, 2], { maxTokens: 1 }],
      "session.append": [(input: never, options: never) => model.session().append(input, options), [1, 2], {}],
      "model.restore": [method(model, "restore"), model.session().save()],
      "model.save": [(options: never) => model.save(undefined, options), { maxShardBytes: 1000 }],
      "model.save, GGUF": [(options: never) => boxed.save(undefined, options), { format: "gguf", dtype: "f16" }],
      "tokenizer.encode": [method(boxed.tokenizer!, "encode"), "a"],
      "tokenizer.decode": [method(boxed.tokenizer!, "decode"), [1, 2], { skipSpecialTokens: true }],
      "tokenizer.stream": [(options: never) => boxed.tokenizer!.stream(options).push(1), { skipSpecialTokens: true }],
      "tokenizer.stream.push": [(id: never) => boxed.tokenizer!.stream().push(id), 1],
      "Tokenizer.fromFiles": [method(main.Tokenizer, "fromFiles"), { tokenizerJson: {} }],
      ReasoningSplitter: [(options: never, text: never) => new main.ReasoningSplitter(options).push(text), { opened: true }, "a"],
    },
    train: {
      encodeRow: [train.encodeRow, { where: "line 1", content: { text: "a" } }, whole(boxed), { end: true }],
      exampleDataset: [train.exampleDataset, [{ ids: [1, 2], weights: [0, 1] }], { seed: 1, where: "data" }],
      parseRows: [train.parseRows, '{ "text": "a" }', "line", () => {}],
      perplexity: [
        train.perplexity,
        whole(model),
        [{ ids: Int32Array.of(1, 2), weights: Uint8Array.of(1, 1), targetBytes: 1, plain: true }],
        { window: 4, stride: 2 },
      ],
      evaluate: "async over a trainer, see trainer",
      lossCurve: [train.lossCurve, [{ step: 1, loss: 1 }]],
      run: "async over a trainer, see trainer",
      streamOf: [train.streamOf, 1, 1],
      textDataset: [train.textDataset, [1, 2, 3], { seed: 1 }],
      trainTokenizer: [train.trainTokenizer, ["aaa"], { vocabSize: 300 }],
    },
    serve: { Server: [(of: never, options: never) => new serve.Server(of, options), model, { maxBatch: 1 }] },
    remote: {
      "RemoteModel.connect": [
        remote.RemoteModel.connect,
        "http://127.0.0.1:9/v1",
        { model: "m", fetch: answered, retries: 0, headers: {} },
      ],
      "model.generate": [method(far, "generate"), "a", { maxTokens: 1, stop: ["a"] }],
      "model.generate, messages": [method(far, "generate"), [{ role: "user", content: "a" }], { maxTokens: 1, tools: [{}] }],
      "model.generateBatch": [method(far, "generateBatch"), ["a"], { maxTokens: 1 }],
      "model.session": [method(far, "session"), { seed: 1 }],
      "session.generate": [(input: never, options: never) => far.session().generate(input, options), "a", { maxTokens: 1 }],
      "session.append": [(input: never) => far.session().append(input), "a"],
    },
    worker: {
      createWorkerModel: [worker.createWorkerModel, singleFile(), { threads: 1, tokenizer: false, serve: {}, worker: noWorker }],
      "model.generate": [method(threaded, "generate"), [1, 2], { maxTokens: 1, seed: 1, stopIds: [1] }],
      "model.generateBatch": [method(threaded, "generateBatch"), [[1, 2]], { maxTokens: 1 }],
      "model.forward": [method(threaded, "forward"), [[1, 2]], { logits: "last", cache: undefined }],
      "model.formatChat": [method(threaded, "formatChat"), [{ role: "user", content: "a" }], { tools: [{}] }],
      "model.session": [disposed(method(threaded, "session")), { seed: 1 }],
      "model.restore": [method(threaded, "restore"), model.session().save()],
      "model.fetch": [method(threaded, "fetch"), "http://worker/health", { headers: {} }],
      "session.generate": [(input: never, options: never) => threaded.session().generate(input, options), [1, 2], { maxTokens: 1 }],
      "session.append": [(input: never, options: never) => threaded.session().append(input, options), [1, 2], {}],
    },
    rl: {
      repetitionStop: [(options: never, logprob: never) => rl.repetitionStop(options)(logprob), { tokens: 2, probability: 0.5 }, -1],
      groupAdvantages: [rl.groupAdvantages, [1, 0, null], { ddof: 1, eps: 1e-6, scale: "group" }],
      batchAdvantages: [rl.batchAdvantages, [[1, 0], [1]], { ddof: 1 }],
      agreement: [rl.agreement, [Float64Array.of(-1)], [Float64Array.of(-1)]],
      chatCodec: [rl.chatCodec, whole(boxed.tokenizer!), async () => "\u0001"],
      groupOutcome: [rl.groupOutcome, [true, false]],
      hasPassRate: [rl.hasPassRate, [true, false], { above: 0, below: 1 }],
      lengthBias: [rl.lengthBias, [{ rewards: [1], lengths: [1], correct: [true] }], { growth: 0.1 }],
      drawPart: [rl.drawPart, random, [0.5, 0.5]],
      mixture: [rl.mixture, [{ weight: 1, passRate: 0.5 }], { floor: 0.1 }],
      rampUp: [rl.rampUp, 1, 0, 2],
      nextWindow: [rl.nextWindow, { tokens: 40960, perplexities: [1] }, { perplexity: 1, lengths: [1] }, { batches: 2 }],
      drawInstance: [rl.drawInstance, random, task, 1, true],
      drawPuzzle: [rl.drawPuzzle, random, [task], true],
      heldOut: [rl.heldOut, task, 1, 1, 1],
      isHeldOut: [rl.isHeldOut, { ...puzzle }],
      solutions: [
        (tasks: never, given: never, options: never) => rl.solutions(tasks, given, options).document(0, 8),
        [task],
        codec,
        { seed: 1 },
      ],
      answerPuzzles: [rl.answerPuzzles, solver, [puzzle], { maxTokens: 1, judging }],
      evaluateTasks: [rl.evaluateTasks, solver, { tasks: [task], perLevel: 1, judging }],
      meanAccuracy: [rl.meanAccuracy, [{ accuracy: 1 }]],
      gradedReward: [
        (grade: never, options: never) => rl.gradedReward(grade, options),
        () => 5,
        { values: [0, 0, 0, 0, 1], judgements: 1 },
      ],
      pairwiseReward: [rl.pairwiseReward, () => 1],
      fromEpsilons: [rl.fromEpsilons, 0.2, 0.2],
      cispo: [rl.cispo, policyBatch, { maxWeight: 5, aggregation: { mix: 0.5 } }],
      grpo: [rl.grpo, policyBatch, { klCoef: 0.1 }],
      dapo: [rl.dapo, policyBatch, { scope: "group" }],
      reinforce: [rl.reinforce, policyBatch, { empty: "skip" }],
      gspo: [rl.gspo, policyBatch, {}],
      dualClip: [rl.dualClip, policyBatch, { cap: 3 }],
      unified: [rl.unified, policyBatch, { trust: { maxWeight: 2 } }],
      trainPolicy: [rl.trainPolicy, solver, trainer, [{ name: "a", problem: () => null }], { batches: 1, judging }],
      puzzleProblem: [rl.puzzleProblem, puzzle, codec, rl.sumOfRewards<rl.AnsweredPuzzle>({ correct: rl.correctnessReward })],
      taskSource: [rl.taskSource, task, 1, codec, { seed: 1, weight: 1, rewards: { correct: rl.correctnessReward } }],
      correctnessReward: [rl.correctnessReward, answeredPuzzle],
      formatReward: [rl.formatReward, answeredPuzzle],
      overlongPunishment: [rl.overlongPunishment, 4, { maxTokens: 5, cache: 2 }],
      sumOfRewards: [rl.sumOfRewards, { correct: () => 1 }],
      generateRows: [rl.generateRows, "kukurasu", { seed: 1, first: 0, count: 1, level: "easy", language: "en", parameters: { n: 3 } }],
      judgeRow: [rl.judgeRow, { ...row }, "[[]]"],
      levelsOf: [rl.levelsOf, "kukurasu"],
      parseTaskRows: [rl.parseTaskRows, JSON.stringify(row), "a.jsonl", "kukurasu"],
      trainingRow: [rl.trainingRow, { ...row }, 0],
      evaluateRows: [rl.evaluateRows, solver, [{ ...row }], { samples: 1, maxTokens: 1, skip: new Set<number>() }],
      reverifyRow: [rl.reverifyRow, { ...result }],
      passAt: [rl.passAt, 1, 2, 1],
      passHat: [rl.passHat, 1, 2, 1],
      passRates: [rl.passRates, [{ ...result }], () => "a"],
      rowSource: [(name: never, rows: never, by: never) => rl.rowSource(name, rows, by).problem(0), "a", [{ ...row }], codec],
      attributeSources: [rl.attributeSources, "kukurasu", "n", [2, 3], codec, { seed: 1, level: "easy", language: "en" }],
      rollouts: [rl.rollouts, solver, [[1]], { groupSize: 1, maxTokens: 1 }],
      formatResponse: [rl.formatResponse, { thinking: "a", answer: "b" }],
      instanceKey: [rl.instanceKey, task, instance],
      judge: [rl.judge, task, instance, "a"],
      parseResponse: [rl.parseResponse, "a"],
    },
    synlogic: {
      generate: [rl.synlogic.generate, "kukurasu", { seed: 1, first: 0, count: 1, level: "easy", language: "en", n: 3 }],
      verify: [rl.synlogic.verify, { ...row }, "[[]]"],
      explain: [rl.synlogic.explain, { ...row }, "[[]]"],
      solve: [rl.synlogic.solve, { ...row }],
      taskNamed: [rl.synlogic.taskNamed, "kukurasu"],
    },
    environments: {
      toolEnvironment: [
        environments.toolEnvironment,
        { name: "a", tools: [tool], start: () => ({}), messages: () => [{ role: "user", content: "a" }], score: () => ({ rewards: {} }) },
      ],
      playEpisode: [environments.playEpisode, whole(scripted), environment, { id: "a" }, { seed: 1, maxTurns: 1, maxTokens: 1 }],
      playEpisodes: [environments.playEpisodes, whole(scripted), environment, [{ id: "a" }], { seed: 1, maxTurns: 1, maxTokens: 1 }],
      playScript: [environments.playScript, environment, { id: "a" }, () => "a", { seed: 1, maxTurns: 1, maxTokens: 1 }],
      encodeTrace: [environments.encodeTrace, { ...trace }, whole(boxed)],
      reverify: [environments.reverify, environment, { ...trace }],
      episodeSource: [
        (of: never, rows: never, options: never) => environments.episodeSource(of, rows, options).problem(0),
        environment,
        [{ id: "a" }],
        { maxTurns: 1, weight: 1 },
      ],
      traceSource: [(traces: never, options: never) => environments.traceSource(traces, options).problem(0), [{ ...trace }], { weight: 1 }],
      formatTrace: [environments.formatTrace, { ...trace }],
      parseTraces: [environments.parseTraces, environments.formatTrace(trace), "a.jsonl"],
      isTruncated: [environments.isTruncated, { ...trace }],
      totalReward: [environments.totalReward, { ...trace }],
      traceSequence: [environments.traceSequence, { ...trace }],
      sequenceRatio: [environments.sequenceRatio, "a", "b"],
      parseMrcr: [environments.parseMrcr, "", "a.jsonl"],
      scoreMrcr: [environments.scoreMrcr, { answer: "xa", random_string_to_prepend: "x" }, "xa"],
      generateMrcr: [environments.generateMrcr, { length: 2000, seed: 1, needles: 2 }],
      parseRuler: [environments.parseRuler, "", "a.jsonl"],
      scoreRuler: [environments.scoreRuler, { outputs: ["a"] }, "a", "all"],
      parseLongBench: [environments.parseLongBench, "", "a.jsonl"],
      scoreLongBench: [environments.scoreLongBench, { answer: "A" }, "A"],
      longBenchPrompt: [
        environments.longBenchPrompt,
        { context: "c", question: "q", choice_A: "a", choice_B: "b", choice_C: "c", choice_D: "d", answer: "A" },
      ],
      generateNeedles: [environments.generateNeedles, { length: 2000, seed: 1, needles: 2, asked: 1, depth: 0.5 }],
      scoreNeedles: [environments.scoreNeedles, { answers: ["1"] }, "1"],
      generateUuidCopy: [environments.generateUuidCopy, { length: 2000, seed: 1, depth: 0.5 }],
      scoreUuidCopy: [environments.scoreUuidCopy, { answers: ["1"] }, "1"],
      generateRecall: [environments.generateRecall, { pairs: 4, context: 20, asked: 2, seed: 1, depth: 0.5 }],
      generateVariableTracking: [environments.generateVariableTracking, { length: 2000, seed: 1 }],
      scoreVariableTracking: [environments.scoreVariableTracking, { answers: ["X"] }, "X"],
      passHatK: [environments.passHatK, [trace], 1],
      openEnv: [environments.openEnv, "http://localhost:1", { timeoutMs: 10 }],
      applyPatch: [environments.applyPatch, files, goldPatch],
      createPatch: [environments.createPatch, files, files],
      applyRepairAnswer: [environments.applyRepairAnswer, files, { patch: goldPatch }],
      parseRepairAnswer: [environments.parseRepairAnswer, goldPatch],
      parseInstances: [environments.parseInstances, "", "a.jsonl"],
      parsePredictions: [environments.parsePredictions, "", "a.jsonl"],
      formatPredictions: [environments.formatPredictions, [{ instance_id: "a", model_name_or_path: "m", model_patch: "" }]],
      gradeAnswer: [environments.gradeAnswer, repair, "no answer", { penalties: { regression: -1 } }],
      validateInstances: [environments.validateInstances, [], {}],
      runTests: [environments.runTests, { files, tests: [] }, { runtime: "quickjs", limits: { wallMs: 1000 } }],
      injectBugs: [environments.injectBugs, { name: "mean", files: { "src/sum.js": "" } }, { count: 1, seed: 1 }],
      repairTasks: "takes one flag, and otherwise runs all tasks, which takes seconds",
      repairProjects: [environments.repairProjects],
      repairPrompt: [environments.repairPrompt, repair, "diff"],
      softwareRepair: [environments.softwareRepair, { format: "diff" }],
      stagedRepair: [environments.stagedRepair, { format: "diff" }],
      softwareAgent: [environments.softwareAgent, {}],
      goldLocations: [environments.goldLocations, repair],
      localizationPrompt: [environments.localizationPrompt, repair, "files", []],
      parseLocations: [environments.parseLocations, "src/sum.js", files],
      scoreLocalization: [environments.scoreLocalization, repair, "files", [{ path: "src/sum.js" }]],
      parseTau2Tasks: [environments.parseTau2Tasks, "", "a.jsonl"],
      checkTau2Tasks: [environments.checkTau2Tasks, domain, [{ id: "a" }], {}],
      dialogueEnvironment: [environments.dialogueEnvironment, domain, { solo: false }],
      scriptedUser: [environments.scriptedUser, () => undefined],
      recordedUser: [environments.recordedUser, { ...trace }],
      modelUser: [environments.modelUser, whole(scripted), { maxTokens: 1 }],
      modelJudge: [environments.modelJudge, whole(scripted), { maxTokens: 1 }],
    },
    aiSdk: { lightningM1: [aiSdk.lightningM1, model, { modelId: "a" }] },
  };
}, 120_000);

afterAll(() => {
  vi.unstubAllGlobals();
  for (const one of [model, boxed, threaded]) one.dispose();
});

const entries = { main, train, rl, synlogic: rl.synlogic, environments, serve, remote, worker, aiSdk };

describe.each(Object.keys(entries) as (keyof typeof entries)[])("%s", (entry) => {
  test("every function is tried", () => {
    const functions = Object.entries(entries[entry]).filter(
      ([, f]) => typeof f === "function" && !/^class/.test(Function.prototype.toString.call(f)),
    );
    expect(functions.map(([name]) => name).filter((name) => !Object.hasOwn(calls[entry]!, name))).toEqual([]);
  });

  test("values that do not belong there end in a result or an error of the library", async () => {
    const found: string[] = [];
    for (const [name, call] of Object.entries(calls[entry]!)) {
      if (typeof call === "string") continue;
      await run(call[0], call.slice(1)).catch((error) => {
        if (!(error instanceof LightningError)) found.push(`${name}: as it should be called: ${error}`);
      });
      found.push(...(await faults(name, call)));
    }
    expect(found).toEqual([]);
  }, 120_000);
});

test.each<[string, (x: never) => unknown, RegExp]>([
  ["scoreOf", (x) => analysis.scoreOf(x, "MiniMax-M1-80k"), /^scoreOf: benchmark: expected one of benchmarks/],
  ["costOf", (x) => analysis.costOf(x, 1, "square"), /^costOf: cost: .*generationCost/],
  ["ratioToDeepSeekR1", (x) => analysis.ratioToDeepSeekR1({ perToken: 1, perPair: 1 } as never, 1, x), /^ratioToDeepSeekR1: by: expected/],
  ["llamaServerCommand", (x) => analysis.llamaServerCommand(x), /^llamaServerCommand: plan: expected a plan/],
  ["ggufTensors", (x) => analysis.ggufTensors(CONFIG, x), /^ggufTensors: format: expected/],
  ["planDeployment, llama.cpp", (x) => analysis.planDeployment(CONFIG, { engine: "llama.cpp", gpu: x ?? null }), /^plan: gpu: expected/],
  ["deploymentOptions", (x) => analysis.deploymentOptions(CONFIG, { precision: x ?? null }), /^deploymentOptions: precision: expected/],
  ["nextWindow, its state", (x) => rl.nextWindow(x, { perplexity: 1, lengths: [0] }), /^nextWindow: state: expected/],
  ["nextWindow, its batch", (x) => rl.nextWindow({ tokens: 1, perplexities: [] }, x), /^nextWindow: batch: expected/],
  ["judge", (x) => rl.judge(x, {}, "a"), /^judge: task: expected a task/],
  ["instanceKey", (x) => rl.instanceKey(x, {}), /^instanceKey: task: expected a task/],
])("%s names an argument that is none", (_, f, message) => {
  for (const none of [undefined, null, 5, Symbol("s")]) expect(() => f(none as never)).toThrow(message);
});

test.each([null, undefined, "down", Symbol("down")])("a function fetch that rejects with %s", async (reason) => {
  const fetch = () => Promise.reject(reason);
  await expect(remote.RemoteModel.connect("http://127.0.0.1:9/v1", { fetch, retries: 0 })).rejects.toThrow(remote.RemoteError);
});
