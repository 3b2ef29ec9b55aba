import { type Figure, type LegendEntry, PALETTE, panelsTop } from "./figure.js";

const [WIDTH, HEIGHT, LENGTHS_HEIGHT] = [760, 320, 180];
/** Maximum number of legend entries per row. */
const LEGEND_ENTRIES_PER_ROW = 4;

/** The values of one batch. Accuracies are shares of right answers. */
export interface PolicyPoint {
  readonly batch: number;
  /** Accuracy of the sampled rollouts that were trained on. */
  readonly accuracy?: number | undefined;
  /** Lengths of sampled responses in tokens: the mean, the window, and the share of responses truncated at the window. */
  readonly length?: { readonly mean: number; readonly window: number; readonly truncated: number } | undefined;
  /** Accuracy on held-out puzzles, by task and level. */
  readonly heldOut?: readonly HeldOut[] | undefined;
}

/** The accuracy on one level of a task. */
export interface HeldOut {
  readonly task: string;
  readonly level: number;
  readonly accuracy: number;
}

/**
 * Draws accuracy over batches: one line per task on held-out puzzles (mean of its levels), a bold line for their mean over all
 * levels, and a thin line for sampled responses. Panels below show response lengths and the share of truncated responses.
 */
export function policyFigure(points: readonly PolicyPoint[]): Figure {
  const tested = points.flatMap(({ batch, heldOut }) => (heldOut ? [{ batch, heldOut }] : []));
  const tasks = [...new Set(tested.flatMap(({ heldOut }) => heldOut.map(({ task }) => task)))];
  const colors = [PALETTE.orange, PALETTE.blue, PALETTE.green, PALETTE.purple];
  const styles = tasks.map((task, i) => ({ task, color: colors[i % colors.length]!, dashed: i >= colors.length }));
  const own = (task: string) =>
    tested.map(({ batch, heldOut }) => ({ batch, accuracy: meanOf(heldOut.filter((level) => level.task === task)) }));
  const all = tested.map(({ batch, heldOut }) => ({ batch, accuracy: meanOf(heldOut) }));
  const sampled = points.flatMap(({ batch, accuracy }) => (accuracy === undefined ? [] : [{ batch, accuracy }]));
  const lengths = points.flatMap(({ batch, length }) => (length ? [{ batch, ...length }] : []));
  const ofTasks = styles.map(({ task, color, dashed }): LegendEntry => ({ mark: dashed ? "dashed" : "line", color, text: task }));
  const legend: LegendEntry[][] = [
    [
      ...(tested.length > 0 ? [{ mark: "line", color: "currentColor", text: "held out, mean of all levels" } as const] : []),
      { mark: "line", color: PALETTE.grey, text: "sampled for training" },
    ],
    ...Array.from({ length: Math.ceil(tasks.length / LEGEND_ENTRIES_PER_ROW) }, (_, i) =>
      ofTasks.slice(LEGEND_ENTRIES_PER_ROW * i, LEGEND_ENTRIES_PER_ROW * (i + 1)),
    ),
  ];
  const notes = ["Held-out puzzles are never trained on; they are answered at temperature 1, top-p 0.95."];
  const top = panelsTop({ notes, legend });
  const x = { x: "batch", y: "accuracy" } as const;
  const lengthsTop = top + HEIGHT + 34;
  const batches = (ticks: number) => ({
    ...({ label: "batches →", labelAnchor: "right", labelArrow: "none", ticks } as const),
    domain: [0, Math.max(1, points.at(-1)?.batch ?? 1)],
    tickFormat: (batch: number) => (Number.isInteger(batch) ? `${batch}` : ""),
  });
  const percent = (share: number) => `${Math.round(100 * share)} %`;
  const half = { width: WIDTH / 2 - 24, height: LENGTHS_HEIGHT, marginLeft: 48, marginRight: 14, marginTop: 14, marginBottom: 40 };
  return {
    ...{ title: "Accuracy over batches", notes, legend },
    ...{ width: WIDTH, height: (lengths.length > 0 ? lengthsTop + LENGTHS_HEIGHT : top + HEIGHT) + 30, data: { points } },
    panels: (Plot) => [
      {
        ...{ title: "share of right answers", x: 12, y: top },
        options: {
          ...{ width: WIDTH - 24, height: HEIGHT, marginLeft: 48, marginRight: 14, marginTop: 14, marginBottom: 40 },
          x: batches(6),
          y: { label: null, domain: [0, 1], grid: true, ticks: 6, tickFormat: percent },
          marks: [
            Plot.ruleY([0], { stroke: "currentColor" }),
            Plot.lineY(sampled, { ...x, stroke: PALETTE.grey, strokeWidth: 1 }),
            ...styles.flatMap(({ task, color, dashed }) => [
              Plot.lineY(own(task), { ...x, stroke: color, strokeWidth: 1.5, ...(dashed && { strokeDasharray: "5 4" }) }),
              Plot.dot(own(task), { ...x, fill: color, r: 2 }),
            ]),
            Plot.lineY(all, { ...x, stroke: "currentColor", strokeWidth: 3.5 }),
            Plot.dot(all, { ...x, fill: "currentColor", r: 3 }),
          ],
        },
      },
      ...(lengths.length === 0
        ? []
        : [
            {
              ...{ title: "tokens of a sampled response: mean, and window (dashed)", x: 12, y: lengthsTop },
              options: {
                ...half,
                x: batches(4),
                y: { label: null, grid: true, ticks: 4, zero: true },
                marks: [
                  Plot.ruleY([0], { stroke: "currentColor" }),
                  Plot.lineY(lengths, { x: "batch", y: "window", stroke: PALETTE.grey, strokeWidth: 1, strokeDasharray: "5 4" }),
                  Plot.lineY(lengths, { x: "batch", y: "mean", stroke: PALETTE.blue, strokeWidth: 1.5 }),
                ],
              },
            },
            {
              ...{ title: "share of sampled responses cut off at the window", x: 12 + WIDTH / 2, y: lengthsTop },
              options: {
                ...half,
                x: batches(4),
                y: { label: null, domain: [0, 1], grid: true, ticks: 4, tickFormat: percent },
                marks: [
                  Plot.ruleY([0], { stroke: "currentColor" }),
                  Plot.lineY(lengths, { x: "batch", y: "truncated", stroke: PALETTE.orange, strokeWidth: 1.5 }),
                ],
              },
            },
          ]),
    ],
  };
}

function meanOf(levels: readonly HeldOut[]): number {
  return levels.reduce((sum, { accuracy }) => sum + accuracy, 0) / levels.length;
}
