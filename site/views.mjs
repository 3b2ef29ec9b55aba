// The interactive views, in the order of their tabs. A view has a page `src/pages/<name>.astro` and its code in `src/views/<name>/`.

export const views = [
  {
    name: "think",
    title: "Think",
    heading: "Watch a small model think",
    description:
      "A MiniMax-M1 of 3.4 million parameters solves puzzles in this tab: it thinks, it answers, and a program judges the answer.",
  },
  {
    name: "look-inside",
    title: "Look inside",
    heading: "Look inside a running model",
    description:
      "What each layer does with each token: experts, states, attention and the next token, with a state that never grows beside a cache that does.",
  },
  {
    name: "long-context",
    title: "Long context",
    heading: "Time and memory in long contexts",
    description:
      "Lightning, hybrid and softmax models of equal size read up to a million tokens in this tab: time and memory are measured live.",
  },
  {
    name: "real-model",
    title: "The real model",
    heading: "The real model, down to every tensor",
    description:
      "Explore the 456 billion parameters of MiniMax-M1, and compute the memory, operations and GPUs that it needs for any context.",
  },
  {
    name: "cispo",
    title: "CISPO",
    heading: "What CISPO changes",
    description:
      "See how CISPO, GRPO and other objectives weight a token and what that changes in training, and train a small model in this tab.",
  },
  {
    name: "tasks",
    title: "Tasks",
    heading: "Puzzles that a program makes and judges",
    description:
      "Solve the SynLogic puzzles that MiniMax-M1 was trained on by hand, and let the verifiers of the library judge your answers.",
  },
];
