// Sentences from our own word lists. They contain no digits and no quotation marks, so that no number or name in a task occurs in them.

import type { Random } from "../../base/random.js";
import { randomChoice, randomInteger } from "../../base/random-draws.js";
import { insertAtDepths } from "./insert-at-depths.js";

const list = (...lines: string[]): readonly string[] => lines.flatMap((line) => line.split(" "));

const ADJECTIVES = list(
  "amber ancient bright broken brown careful cheerful clever cold copper crooked curious distant dusty early empty faded faithful",
  "famous foggy forgotten friendly frozen gentle golden grey hidden hollow honest humble icy idle lazy little lonely loud lucky",
  "modest mossy narrow nervous noisy orange pale patient plain polite proud purple quick quiet rusty sandy scarlet secret shallow",
  "silent silver sleepy slender slow small smooth solemn spotted steady stern strange striped stubborn sturdy sudden sunny tall",
  "tender thirsty tidy tiny tired wandering warm weary wild windy wise wooden young",
);
const PERSONS = list(
  "actor artist baker barber beekeeper brewer captain carpenter clerk cobbler cook dancer doctor driver farmer ferryman fisherman",
  "florist gardener glazier guard guest guide hunter inspector judge juggler lawyer librarian locksmith mason merchant messenger",
  "miller miner minstrel musician nurse painter pilot pilgrim plumber poet porter postman potter printer ranger roofer sailor scholar",
  "sculptor shepherd singer smith student surveyor tailor teacher tinker traveller trumpeter visitor waiter watchman weaver",
);
const THINGS = list(
  "anchor apron barrel basket bell bicycle blanket book bottle bowl box bridge broom bucket button candle carpet cart chair clock",
  "coat coin compass cradle cup curtain door drum feather fence flag flute gate glove hammer hat helmet jar kettle key kite ladder",
  "lamp lantern letter lock map mirror needle net oar oven painting parcel pencil pillow plate plough pot ribbon ring rope saddle",
  "scarf shovel spoon stamp statue stove suitcase table teapot telescope ticket trumpet umbrella vase violin wagon wheel whistle",
  "window",
);
const PLACES = list(
  "abbey alley attic bakery barn bay beach bridge canal castle cave cellar chapel cliff cottage courtyard desert dock farm ferry",
  "field ford forest fountain garden glacier harbour hill hotel inn island kitchen lake lighthouse market marsh meadow mill mine moor",
  "mountain museum orchard palace park pass pier pond quarry ravine reef ridge river school shore stable station street swamp temple",
  "theatre tower tunnel valley village vineyard waterfall well wharf windmill wood workshop",
);
const PAST_VERBS = list(
  "admired avoided borrowed bought brought built carried caught cleaned collected copied counted covered decorated described dropped",
  "examined exchanged found fixed followed forgot guarded hid inspected kept lent lifted lost measured mended missed moved needed",
  "noticed offered opened ordered painted photographed polished praised recognised repaired replaced rescued returned saved searched",
  "sketched sold stored studied touched traded used valued visited wanted washed weighed wrapped",
);
const MOTIONS = list(
  "came climbed cycled danced drifted hurried jumped marched paddled ran returned rode rolled sailed skated slipped strolled",
  "travelled turned waded walked wandered",
);
const TIMES = [
  "after the storm, at dawn, at dusk, at noon, before supper, during the fair, in autumn, in early spring, in the afternoon",
  "in the evening, in the first snow, in the morning, late at night, on a clear day, on a rainy day, on market day, on the longest day",
  "on the way home, one summer, one winter, that week, toward evening, when the bells rang, years later",
].flatMap((line) => line.split(", "));
const PLACINGS = ["above", "behind", "below", "beside", "beyond", "in front of", "near", "next to", "not far from", "opposite"] as const;
const JOINS = ["and", "but", "so", "while"] as const;

/** Draws a key for a needle: two words that name a thing, for example "amber lantern". There are several thousand. */
export const drawName = (random: Random): string => `${randomChoice(random, ADJECTIVES)} ${randomChoice(random, THINGS)}`;

/** Draws a sentence. @param subject what some of the sentences are about; a person by default */
export function drawSentence(random: Random, subject?: string): string {
  const text = drawClauses(random, subject);
  return `${text[0]!.toUpperCase()}${text.slice(1)}.`;
}

function drawClauses(random: Random, subject: string | undefined): string {
  const person = () => `the ${randomChoice(random, ADJECTIVES)} ${randomChoice(random, PERSONS)}`;
  const who = () => (subject === undefined ? person() : `the ${randomChoice(random, ADJECTIVES)} ${subject}`);
  const thing = () => `the ${drawName(random)}`;
  const place = () => `${randomChoice(random, PLACINGS)} the ${randomChoice(random, ADJECTIVES)} ${randomChoice(random, PLACES)}`;
  const action = () => `${randomChoice(random, PAST_VERBS)} ${thing()}`;
  const motion = () => `${randomChoice(random, MOTIONS)} to the ${randomChoice(random, PLACES)}`;
  const time = () => randomChoice(random, TIMES);
  switch (randomInteger(random, 0, 6)) {
    case 0:
      return `${who()} ${action()} ${place()}`;
    case 1:
      return `${time()}, ${who()} ${motion()} and ${action()}`;
    case 2:
      return `${who()} ${motion()}, ${randomChoice(random, JOINS)} ${person()} ${action()}`;
    case 3:
      return `${place()}, ${who()} ${action()} ${time()}`;
    case 4:
      return `${time()}, ${person()} spoke of ${who()} and ${thing()}`;
    case 5:
      return `${who()} ${action()}, ${randomChoice(random, JOINS)} ${person()} ${motion()} ${time()}`;
    default:
      return `${thing()} stood ${place()} until ${who()} ${action()}`;
  }
}

const withArticle = (name: string): string => `${/^[aeiou]/.test(name) ? "an" : "a"} ${name}`;

/** Draws a line of verse. */
export function drawVerse(random: Random, subject: string): string {
  const adjective = () => randomChoice(random, ADJECTIVES);
  const place = () => `the ${adjective()} ${randomChoice(random, PLACES)}`;
  const lines = [
    () => `${adjective()} ${subject} ${randomChoice(random, PLACINGS)} ${place()}`,
    () => `the ${subject} ${randomChoice(random, MOTIONS)} to ${place()}`,
    () => `who ${randomChoice(random, PAST_VERBS)} the ${drawName(random)}, ${subject}?`,
    () => `${withArticle(drawName(random))} for ${subject} ${randomChoice(random, TIMES)}`,
    () => `${randomChoice(random, TIMES)} the ${randomChoice(random, THINGS)} and ${place()}`,
  ];
  const line = randomChoice(random, lines)();
  return `${line[0]!.toUpperCase()}${line.slice(1)}`;
}

/** Number of sentences in a paragraph. */
const PARAGRAPH_SENTENCES = 6;

/**
 * Joins sentences to paragraphs, with needles at given depths.
 *
 * @param depths for each needle, its position from 0 (before the first sentence) to 1 (after the last one)
 */
export function joinText(sentences: readonly string[], needles: readonly string[], depths: readonly number[]): string {
  const pieces = insertAtDepths(sentences, needles, depths);
  const paragraphs = Array.from({ length: Math.ceil(pieces.length / PARAGRAPH_SENTENCES) }, (_, i) =>
    pieces.slice(i * PARAGRAPH_SENTENCES, (i + 1) * PARAGRAPH_SENTENCES).join(" "),
  );
  return paragraphs.join("\n\n");
}
