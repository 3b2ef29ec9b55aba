// Conversations in the form of openai/mrcr, with our own requests and texts.

import * as v from "valibot";
import { InputError } from "../../base/errors.js";
import { count, parseOptions } from "../../base/options.js";
import { Random } from "../../base/random.js";
import { drawUntil, randomChoice, randomInteger } from "../../base/random-draws.js";
import { fitLength, type LongContextOptions, lengthEntries } from "./fit-length.js";
import { insertAtDepths } from "./insert-at-depths.js";
import type { MrcrRow } from "./mrcr.js";
import { drawSentence, drawVerse } from "./words.js";

/** Options of {@link generateMrcr}. Defaults are in parentheses. */
export interface MrcrOptions extends LongContextOptions {
  /** Number of equal requests (2). */
  needles?: number;
  /** Which of them is to be repeated, from 1 to the number of needles. Random by default. */
  ordinal?: number;
}

/** More equal requests are most of any conversation. */
const MAX_NEEDLES = 100;

const schema = v.strictObject({ ...lengthEntries, needles: v.optional(count, 2), ordinal: v.optional(count) });

const KINDS = [
  { kind: "poem", openings: [], verse: true },
  { kind: "song", openings: [], verse: true },
  { kind: "lullaby", openings: [], verse: true },
  {
    kind: "short story",
    openings: ["This happened long ago.", "Here is how it began.", "They still tell it in the valley."],
    verse: false,
  },
  { kind: "letter", openings: ["Dear friend,", "Dear neighbour,", "To whom it may concern,"], verse: false },
  { kind: "speech", openings: ["Dear guests,", "Good evening.", "Thank you all for coming."], verse: false },
  { kind: "diary entry", openings: ["Not much sleep.", "A long day.", "Rain again."], verse: false },
  { kind: "news report", openings: ["From our correspondent.", "This just in.", "The town hall confirmed it today."], verse: false },
  { kind: "travel guide", openings: ["Bring good shoes.", "Start early.", "Follow the river first."], verse: false },
  { kind: "radio play", openings: ["A door creaks.", "Steps in the distance.", "Music, then silence."], verse: false },
] as const;

const TOPICS = [
  "acrobats ants badgers balloons bees bells boats bridges candles castles cats clouds comets cranes dragons dreams drums ducks",
  "eagles elephants ferries foxes frogs ghosts giants goats herons horses kites lanterns lighthouses maps mirrors moths mountains",
  "owls parrots penguins pianos pirates puppets rivers robots sailors shadows sheep snails spiders tapirs tigers trains trees turtles",
  "umbrellas violins volcanoes walruses whales windmills wolves",
].flatMap((line) => line.split(" "));

interface Request {
  readonly form: (typeof KINDS)[number];
  readonly topic: string;
}

interface Exchange {
  readonly request: string;
  readonly answer: string;
}

/** Letters and digits of the random string. */
const STRING_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const STRING_LENGTH = 10;

/**
 * Generates a conversation in the form of openai/mrcr: the user asks for texts of several kinds and topics, some of them several times, and
 * at last for the n-th text of one kind and topic, word for word behind a random string. Other requests share the kind or the topic with
 * it. No two of its texts are equal. Equal options give an equal task.
 *
 * @throws {InputError} invalid options, or a length that is too short for the needles
 */
export function generateMrcr(options: MrcrOptions): MrcrRow {
  const { length, countTokens, seed, needles, ordinal } = parseOptions(schema, options, "generateMrcr");
  if (needles > MAX_NEEDLES) throw new InputError(`generateMrcr: needles: expected at most ${MAX_NEEDLES}, got ${needles}`);
  if (ordinal !== undefined && ordinal > needles) {
    throw new InputError(`generateMrcr: ordinal: expected at most ${needles}, the number of needles, got ${ordinal}`);
  }
  const random = Random.seeded(seed);
  const begin = Array.from({ length: STRING_LENGTH }, () => randomChoice(random, STRING_CHARACTERS)).join("");
  const wanted: Request = { form: randomChoice(random, KINDS), topic: randomChoice(random, TOPICS) };
  const position = ordinal ?? randomInteger(random, 1, needles);
  const depths = Array.from({ length: needles }, () => random.next()).sort((a, b) => a - b);
  const answers = new Set<string>();
  const exchange = (source: Random, asked: Request): Exchange => {
    const answer = drawUntil(
      () => drawAnswer(source, asked),
      (text) => !answers.has(text),
    );
    answers.add(answer);
    return { request: `Write a ${asked.form.kind} about ${asked.topic}.`, answer };
  };
  const equal = Array.from({ length: needles }, () => exchange(random, wanted));
  const desired = equal[position - 1]!;
  const filler = Random.stream(seed, 1);
  const what = `the ${ordinalOf(position)} ${wanted.form.kind} about ${wanted.topic}`;
  const last = `Repeat ${what} of this conversation word for word, directly after the characters ${begin}. Write nothing else.`;
  const { task } = fitLength({
    where: "generateMrcr",
    length,
    countTokens,
    draw: () => exchange(filler, drawOther(filler, wanted)),
    textOf: ({ request, answer }) => `${request}${answer}`,
    assemble: (others) => insertAtDepths(others, equal, depths),
    textsOf: (exchanges) => [...exchanges.flatMap(({ request, answer }) => [request, answer]), last],
  });
  const messages = [
    ...task.flatMap(({ request, answer }) => [
      { role: "user", content: request },
      { role: "assistant", content: answer },
    ]),
    { role: "user", content: last },
  ];
  return {
    prompt: JSON.stringify(messages),
    answer: `${begin}${desired.answer}`,
    random_string_to_prepend: begin,
    n_needles: needles,
    desired_msg_index: 2 * task.indexOf(desired),
    total_messages: messages.length,
    n_chars: messages.reduce((sum, { content }) => sum + content.length, 0),
  };
}

/** Draws a request that differs from the wanted one in the kind, the topic or both. */
function drawOther(random: Random, wanted: Request): Request {
  const form = () => randomChoice(random, KINDS);
  const topic = () => randomChoice(random, TOPICS);
  return drawUntil(
    () => {
      switch (randomInteger(random, 0, 2)) {
        case 0:
          return { form: wanted.form, topic: topic() };
        case 1:
          return { form: form(), topic: wanted.topic };
        default:
          return { form: form(), topic: topic() };
      }
    },
    (other) => other.form !== wanted.form || other.topic !== wanted.topic,
  );
}

function drawAnswer(random: Random, { form, topic }: Request): string {
  if (form.verse) {
    const stanza = () => Array.from({ length: 4 }, () => drawVerse(random, topic)).join("\n");
    return Array.from({ length: randomInteger(random, 2, 4) }, stanza).join("\n\n");
  }
  const sentences = Array.from({ length: randomInteger(random, 4, 9) }, () => drawSentence(random, topic));
  return `${randomChoice(random, form.openings)}\n\n${sentences.join(" ")}`;
}

/** Writes an ordinal number: 1st, 2nd, 3rd, 4th, …, 11th, … */
function ordinalOf(n: number): string {
  const teens = n % 100 >= 11 && n % 100 <= 13;
  return `${n}${teens ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th")}`;
}
