// The interactive views, in the order of their tabs. A view has a page `src/pages/<name>.astro` and its code in `src/views/<name>/`.

export const views = [
  {
    name: "cispo",
    title: "CISPO",
    heading: "The weight of a token against its ratio",
    description:
      "Compare how CISPO, GRPO, DAPO and other objectives weight the gradient of a token, for any bounds of the importance ratio.",
  },
];
