import * as v from "valibot";
import { SandboxError } from "../../base/errors.js";
import { oneOf, parseOptions } from "../../base/options.js";
import type { AssistantMessage, Environment, Scores } from "../environment.js";
import { userMessage } from "../long-context/single-turn.js";
import { type Grade, type GradeOptions, gradeAnswer, gradeEntries } from "./grade.js";
import { checkRunnable, type SoftwareInstance } from "./instances.js";
import {
  type CodeLocation,
  knownLocations,
  type LocalizationStage,
  localizationPrompt,
  parseLocations,
  scoreLocalization,
} from "./localization.js";
import { type AnswerFormat, answerFormat, filesSection, issueSection } from "./prompts.js";

/** Options of {@link softwareRepair} and {@link stagedRepair}. Defaults are in parentheses. */
export interface SoftwareRepairOptions extends Omit<GradeOptions, "signal"> {
  /** The form of answers that the prompt asks for ("edits"). Both forms are accepted. */
  readonly format?: AnswerFormat;
}

const { signal: _, ...entries } = gradeEntries;
const schema = v.strictObject({ ...entries, format: v.optional(oneOf("edits", "diff"), "edits") });

/** Creates the prompt of a task with all files but tests. @throws {InputError} an invalid instance, or one without files */
export function repairPrompt(instance: SoftwareInstance, format: AnswerFormat = "edits"): string {
  const { files, problem_statement } = checkRunnable(instance, "repairPrompt: instance");
  const task = "Solve the issue by changing the code. Tests that you do not see judge the result.";
  return [issueSection(problem_statement), "Files of the project:", filesSection(files), `${task}\n\n${answerFormat(format)}`].join("\n\n");
}

/**
 * Creates an environment of one turn: the model sees the issue and all files of the project, and answers with a change. The reward
 * `resolved` is that of {@link gradeAnswer}; an answer that a limit cut off has reward 0.
 */
export function softwareRepair(options: SoftwareRepairOptions = {}): Environment<SoftwareInstance> {
  const { format, ...settings } = parseOptions(schema, options, "softwareRepair");
  return {
    name: "software-repair",
    weights: { resolved: 1 },
    start(row) {
      let response: string | undefined;
      return {
        messages: userMessage(repairPrompt(row, format)),
        step({ text }) {
          response = text;
          return { messages: [], terminated: true };
        },
        score: ({ signal }) => scoreResponse(row, response, { ...settings, signal }),
      };
    },
  };
}

async function scoreResponse(row: SoftwareInstance, response: string | undefined, options: GradeOptions): Promise<Scores> {
  if (response === undefined) return { rewards: { resolved: 0 } };
  return gradeScores(row, await gradeAnswer(row, response, options));
}

/**
 * The reward of a judgement, and the shares of tests that pass.
 *
 * @throws {SandboxError} the sandbox failed; the trace then has the reason
 */
export function gradeScores({ FAIL_TO_PASS, PASS_TO_PASS }: SoftwareInstance, { reward, outcome, failed, message }: Grade): Scores {
  if (reward === null) throw new SandboxError(message);
  const share = (ids: readonly string[]) => (ids.length === 0 ? 1 : ids.filter((id) => !failed.includes(id)).length / ids.length);
  const applied = outcome === "not_applied" ? 0 : 1;
  return {
    rewards: { resolved: reward },
    metrics: { applied, fail_to_pass: applied * share(FAIL_TO_PASS), pass_to_pass: applied * share(PASS_TO_PASS) },
  };
}

/** Number of files and elements that the model may name in a stage. The others are ignored. */
const MAX_FILES = 5;
const MAX_ELEMENTS = 20;

/**
 * Creates an environment of three turns: the model names the files to change, then the elements in them, then it sees the code of these
 * elements and answers with a change. An answer that names no file or element ends the episode. The metrics are recall and precision of
 * both stages. Needs `@babel/parser`.
 */
export function stagedRepair(options: SoftwareRepairOptions = {}): Environment<SoftwareInstance> {
  const { format, ...settings } = parseOptions(schema, options, "stagedRepair");
  return {
    name: "staged-repair",
    weights: { resolved: 1 },
    async start(row) {
      const { files } = checkRunnable(row, "stagedRepair: row");
      const named = { files: [] as CodeLocation[], elements: [] as CodeLocation[] };
      let stage: LocalizationStage = "files";
      let response: string | undefined;

      /** Reads the places of a response, and sets the next stage. */
      async function locate(text: string): Promise<CodeLocation[]> {
        const locations = parseLocations(text, files);
        if (stage === "files") {
          named.files = [...new Set(locations.map(({ path }) => path))].slice(0, MAX_FILES).map((path) => ({ path }));
          stage = "elements";
          return named.files;
        }
        named.elements = (await knownLocations(files, locations)).slice(0, MAX_ELEMENTS);
        stage = "repair";
        return named.elements;
      }

      return {
        messages: userMessage(await localizationPrompt(row, "files")),
        async step({ text }: AssistantMessage) {
          if (stage === "repair") {
            response = text;
            return { messages: [], terminated: true };
          }
          const locations = await locate(text);
          if (locations.length === 0) return { messages: [], terminated: true };
          return { messages: userMessage(await localizationPrompt(row, stage, locations, format)) };
        },
        async score({ signal }) {
          const { rewards, metrics } = await scoreResponse(row, response, { ...settings, signal });
          const [byFile, byElement] = await Promise.all([
            scoreLocalization(row, "files", named.files),
            scoreLocalization(row, "elements", named.elements),
          ]);
          const localization = {
            file_recall: byFile.recall,
            file_precision: byFile.precision,
            element_recall: byElement.recall,
            element_precision: byElement.precision,
          };
          return { rewards, metrics: { ...metrics, ...localization } };
        },
      };
    },
  };
}
