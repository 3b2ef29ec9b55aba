// The environments that the commands know by name, and their rows.

import type { Environment } from "../../environments/index.js";
import { UsageError } from "../options.js";

/** How rows are generated. */
export interface RowOptions {
  readonly seed: number;
  /** Length in tokens, for tasks with long contexts. */
  readonly length: number;
  /** Place of the answer from 0 (beginning) to 1 (end). Undefined is random. */
  readonly depth: number | undefined;
  readonly countTokens: (text: string) => number;
}

/** An environment and where its rows come from. */
export interface KnownEnvironment {
  readonly environment: Environment;
  /** Generates a row of any length. Absent if the environment has none. */
  readonly generate?: (options: RowOptions) => object;
  /** Whether {@link generate} takes a depth. */
  readonly hasDepth?: boolean;
  /** The rows that come with the environment. */
  readonly rows?: () => readonly object[] | Promise<readonly object[]>;
  /** Parses a file of rows. */
  readonly parse?: (text: string, where: string) => readonly object[];
}

interface Entry {
  readonly summary: string;
  /** Where rows come from: generated at any length, built in, or only from a file. */
  readonly source: "generated" | "built-in" | "file";
  load(): Promise<KnownEnvironment>;
}

const longContext = () => import("../../environments/long-context/index.js");

/** All environments by name. To add one, add a line here. */
export const KNOWN_ENVIRONMENTS: Readonly<Record<string, Entry>> = {
  needles: {
    summary: "find a number that is hidden in a long text",
    source: "generated",
    load: async () => {
      const { needles, generateNeedles } = await longContext();
      return { environment: needles as Environment, generate: generateNeedles, hasDepth: true };
    },
  },
  "variable-tracking": {
    summary: "find all variables of a long text that got a number from each other",
    source: "generated",
    load: async () => {
      const { variableTracking, generateVariableTracking } = await longContext();
      return { environment: variableTracking as Environment, generate: generateVariableTracking, hasDepth: true };
    },
  },
  "uuid-copy": {
    summary: "copy a value from a long list of pairs of UUIDs",
    source: "generated",
    load: async () => {
      const { uuidCopy, generateUuidCopy } = await longContext();
      return { environment: uuidCopy as Environment, generate: generateUuidCopy, hasDepth: true };
    },
  },
  mrcr: {
    summary: "repeat one of several answers of a long conversation (also rows of openai/mrcr)",
    source: "generated",
    load: async () => {
      const { mrcr, generateMrcr, parseMrcr } = await longContext();
      const generate = ({ length, seed, countTokens }: RowOptions) => generateMrcr({ length, seed, countTokens });
      return { environment: mrcr as Environment, generate, parse: parseMrcr };
    },
  },
  "long-bench": {
    summary: "multiple-choice questions about a document (rows of LongBench v2)",
    source: "file",
    load: async () => {
      const { longBench, parseLongBench } = await longContext();
      return { environment: longBench as Environment, parse: parseLongBench };
    },
  },
  ruler: {
    summary: "the tasks of RULER (rows of RULER)",
    source: "file",
    load: async () => {
      const { ruler, parseRuler } = await longContext();
      return { environment: ruler as Environment, parse: parseRuler };
    },
  },
  "bike-workshop": {
    summary: "serve customers with tools and a policy, in the manner of tau2-bench",
    source: "built-in",
    load: async () => {
      const { bikeWorkshop, bikeWorkshopTasks, dialogueEnvironment } = await import("../../environments/tool-dialogues/index.js");
      return { environment: dialogueEnvironment(bikeWorkshop) as Environment, rows: () => bikeWorkshopTasks };
    },
  },
  "software-repair": {
    summary: "repair a program by edits, judged by hidden tests",
    source: "built-in",
    load: async () => {
      const { repairTasks, softwareRepair } = await import("../../environments/software/index.js");
      return { environment: softwareRepair() as Environment, rows: () => repairTasks() };
    },
  },
  "software-agent": {
    summary: "repair a program with tools that read, edit and test it",
    source: "built-in",
    load: async () => {
      const { repairTasks, softwareAgent } = await import("../../environments/software/index.js");
      return { environment: softwareAgent() as Environment, rows: () => repairTasks() };
    },
  },
};

/** Loads an environment by name. @throws {UsageError} an unknown name */
export async function loadEnvironment(name: string): Promise<KnownEnvironment> {
  const entry = Object.hasOwn(KNOWN_ENVIRONMENTS, name) ? KNOWN_ENVIRONMENTS[name]! : undefined;
  if (entry) return entry.load();
  const names = Object.keys(KNOWN_ENVIRONMENTS).join(", ");
  throw new UsageError(`environments: expected an environment (${names}), got ${JSON.stringify(name)}`);
}

/** Characters that count as a token if the tokenizer of a model is not known. */
export const CHARACTERS_PER_TOKEN = 4;

export const estimateTokens = (text: string): number => Math.ceil(text.length / CHARACTERS_PER_TOKEN);
