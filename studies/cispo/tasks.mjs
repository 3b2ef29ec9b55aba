// The two tasks: in one a rare token leads to the answer, the other has no such token.

import { drawInstance } from "../../dist/node/rl.js";
import { streamOf } from "../../dist/node/train.js";

/** One token per character; `$` ends a response. */
const VOCABULARY = [..."0123456789+=W()[]{}$"];
export const END = VOCABULARY.indexOf("$");
export const vocabSize = VOCABULARY.length;

export const encode = (text) => [...text].map((character) => VOCABULARY.indexOf(character));
export const decode = (ids) => ids.map((id) => VOCABULARY[id]).join("");

const integer = (random, from, to) => from + Math.floor(random.next() * (to - from + 1));

/**
 * T1: the remainder of a sum divided by five, `2+4+3+1=`. Most demonstrations answer at once, with any of the five digits: `1$`. A few
 * start with the fork token and write the remainders of the running sums, `W140$`, the last of which is the answer. Responses with the
 * fork token are right, but rare.
 */
const fork = {
  name: "fork",
  generate: (random) => Array.from({ length: integer(random, 4, 6) }, () => integer(random, 0, 4)),
  question: (digits) => `${digits.join("+")}=`,
  answer: (digits) => digits.reduce((sum, digit) => (sum + digit) % 5, 0),
  verify: (digits, response) => response.endsWith(`${fork.answer(digits)}$`) && /^W?\d+\$$/.test(response),
  demonstrate(digits, random, { forkShare }) {
    if (random.next() >= forkShare) return `${integer(random, 0, 4)}$`;
    return `W${digits
      .slice(1)
      .map((_, i) => fork.answer(digits.slice(0, i + 2)))
      .join("")}$`;
  },
};

const PAIRS = { "(": ")", "[": "]", "{": "}" };

/** T2: close the open brackets, `([]{` with `})$`. Ten, twelve or fourteen brackets in total, three to five of them missing. */
const brackets = {
  name: "brackets",
  generate(random) {
    const missing = integer(random, 3, 5);
    const given = 2 * integer(random, 5, 7) - missing;
    for (;;) {
      const [text, open] = [[], []];
      for (let i = 0; i < given; i++) {
        if (open.length > 0 && random.next() < 0.4) text.push(PAIRS[open.pop()]);
        else {
          open.push("([{"[integer(random, 0, 2)]);
          text.push(open.at(-1));
        }
      }
      if (open.length === missing) return text.join("");
    }
  },
  question: (text) => text,
  answer(text) {
    const open = [];
    for (const bracket of text) {
      if (bracket in PAIRS) open.push(PAIRS[bracket]);
      else open.pop();
    }
    return open.reverse().join("");
  },
  verify: (text, response) => response === `${brackets.answer(text)}$`,
  demonstrate: (text) => `${brackets.answer(text)}$`,
};

export const tasks = { fork, brackets };

/** Demonstrations for the warm start. None of them is held out. */
export function demonstrations(task, options, seed) {
  return {
    document(index) {
      const random = streamOf(seed, index);
      const { instance } = drawInstance(random, task, 1, false);
      const prompt = encode(task.question(instance));
      const response = encode(task.demonstrate(instance, random, options));
      return { ids: [...prompt, ...response], weights: [...prompt.map(() => 0), ...response.map(() => 1)] };
    },
  };
}

/** Problems for reinforcement learning. None of them is held out. */
export function problems(task, seed) {
  return { name: task.name, problem: (index) => problemOf(task, drawInstance(streamOf(seed, index), task, 1, false).instance) };
}

/** Distinct held-out instances, the same for all runs. */
export function heldOut(task, amount) {
  const found = new Map();
  for (let i = 0; found.size < amount; i++) {
    if (i > 100 * amount) throw new Error(`study: ${task.name}: expected ${amount} held-out instances, got ${found.size}`);
    const { instance } = drawInstance(streamOf(77, i), task, 1, true);
    found.set(JSON.stringify(instance), problemOf(task, instance));
  }
  return [...found.values()];
}

function problemOf(task, instance) {
  return {
    prompt: encode(task.question(instance)),
    judge({ ids }) {
      const correct = task.verify(instance, decode(ids));
      return { correct, total: Number(correct), components: { correct: Number(correct) } };
    },
  };
}
