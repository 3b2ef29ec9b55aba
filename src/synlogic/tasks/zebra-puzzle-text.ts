// The attributes and sentences of zebra_puzzle.

import type { HouseClue, HousePuzzle, Value } from "../search/houses.js";
import { COLOURS } from "../vocabulary.js";
import { NAMES } from "../words.js";

interface Attribute {
  readonly values: readonly Value[];
  /** The phrase with which a clue refers to the person who has a value. */
  person(value: Value): string;
}

const words = (list: string) => list.split(" ");

/** The attributes that a puzzle may use. Every puzzle uses the first one. */
export const ATTRIBUTES: Readonly<Record<string, Attribute>> = {
  Name: { values: NAMES.en, person: String },
  Color: { values: COLOURS.en.slice(0, 10), person: (value) => `the person in the ${value} house` },
  Pet: { values: words("cat dog fish horse parrot rabbit hamster turtle goat lizard"), person: (value) => `the owner of the ${value}` },
  Drink: { values: words("tea coffee milk juice water cocoa lemonade cider"), person: (value) => `the person who drinks ${value}` },
  Age: { values: [6, 7, 8, 9, 10, 11, 12, 13], person: (value) => `the ${value}-year-old` },
  Job: { values: words("baker doctor farmer painter pilot teacher tailor singer"), person: (value) => `the ${value}` },
  Hobby: {
    values: words("chess knitting rowing fishing cooking dancing skiing gardening"),
    person: (value) => `the person who enjoys ${value}`,
  },
};

const COUNTS = ["no", "one", "two", "three", "four", "five", "six"];

function sentence(clue: HouseClue): string {
  const person = (attribute: string, value: Value) => ATTRIBUTES[attribute]!.person(value);
  const one = person(clue[1], clue[2]);
  const text = (() => {
    if (clue[0] === "is") return `${one} lives in house ${clue[3] + 1}.`;
    if (clue[0] === "not") return `${one} does not live in house ${clue[3] + 1}.`;
    const other = person(String(clue[3]), clue[4]!);
    if (clue[0] === "same") return `${one} is ${other}.`;
    return clue[0] === "left" ? `${one} lives directly to the left of ${other}.` : `${one} and ${other} are next-door neighbors.`;
  })();
  return text[0]!.toUpperCase() + text.slice(1);
}

export function question({ attributes, values, clues }: HousePuzzle): string {
  const count = values[attributes[0]!]!.length;
  const houses = Array.from({ length: count }, (_, house) => `"House ${house + 1}"`);
  const shape = attributes.map((attribute) => `"${attribute}": …`).join(", ");
  const numbers = attributes.includes("Age") ? " Ages are numbers, all other values are strings." : " All values are strings.";
  return `There are ${COUNTS[count]} houses in a row, numbered from left to right, with one person in each. Each of these values belongs to exactly one of them:
${attributes.map((attribute) => `- ${attribute}: ${values[attribute]!.join(", ")}`).join("\n")}

Clues:
${clues.map((clue, i) => `${i + 1}. ${sentence(clue)}`).join("\n")}

Find out who lives where. End your answer with a JSON object in a code block. Its keys are ${houses.join(", ")}, and the value of each key is an object with the attributes of that house. Spell values as in the list above.${numbers}
\`\`\`json
{"House 1": {${shape}}, …}
\`\`\``;
}
