// `<m1-cispo-study>`: accuracy against updates in the CISPO study. The data is the JSON inside the element.

import * as Plot from "@observablehq/plot";
import { checkboxes, radios, select } from "../../shared/controls.ts";
import { element } from "../../shared/dom.ts";
import { chartHeight, type FigureSpec, seriesStyle } from "../../shared/figure.ts";
import { formatNumber } from "../../shared/numbers.ts";
import { choiceField, subsetField, UrlState } from "../../shared/state.ts";
import type { StudyTask } from "./study-curves.ts";

/** The arms of the study. Those that are objectives of the first figure come in its order, so that they have the same colours. */
const ARMS = ["cispo", "grpo", "dapo", "cispo-2", "unified", "reinforce", "grpo-token"] as const;
type Arm = (typeof ARMS)[number];
const armLabels: Readonly<Record<Arm, string>> = {
  cispo: "CISPO with upper bound 5",
  grpo: "GRPO",
  dapo: "DAPO",
  "cispo-2": "CISPO with upper bound 2",
  unified: "CISPO with DAPO's mask",
  reinforce: "REINFORCE",
  "grpo-token": "GRPO with a mean over tokens",
};

const TASKS = ["fork", "brackets"] as const;
type TaskName = (typeof TASKS)[number];
const taskLabels: Readonly<Record<TaskName, string>> = {
  fork: "a rare token decides (T1 of the study)",
  brackets: "no rare token decides, for comparison (T2)",
};

const SHARES = ["0.5", "0.75", "0.9", "1"] as const;
type Share = (typeof SHARES)[number];
const shareLabels: Readonly<Record<Share, string>> = {
  "0.5": "half of DAPO's gain",
  "0.75": "three quarters of DAPO's gain",
  "0.9": "90 % of DAPO's gain",
  "1": "all of DAPO's gain",
};

interface State {
  readonly studyTask: TaskName;
  readonly arms: readonly Arm[];
  readonly goal: Share;
}

class CispoStudyView extends HTMLElement {
  private started = false;

  connectedCallback(): void {
    if (this.started) return;
    this.started = true;
    const tasks = JSON.parse(this.querySelector("script")!.textContent!) as readonly StudyTask[];
    const state = new UrlState<State>({
      studyTask: choiceField<TaskName>("fork", TASKS),
      arms: subsetField<Arm>(["cispo", "dapo"], ARMS),
      goal: choiceField<Share>("0.5", SHARES),
    });
    const task = radios<TaskName>({
      label: "Task",
      choices: TASKS.map((value) => ({ value, label: taskLabels[value] })),
      onInput: (value) => state.set({ studyTask: value }),
    });
    const arms = checkboxes<Arm>({
      label: "Objectives",
      choices: ARMS.map((value) => ({ value, label: armLabels[value] })),
      onInput: (values) => state.set({ arms: values }),
    });
    const goal = select<Share>({
      label: "Updates are compared to reach",
      choices: SHARES.map((value) => ({ value, label: shareLabels[value] })),
      onInput: (value) => state.set({ goal: value }),
    });
    const reading = element("p", { class: "view-reading", "aria-live": "polite" });
    const figure = element("m1-figure");
    this.classList.add("not-content", "view");
    this.append(element("div", { class: "view-controls" }, task.element, arms.element, goal.element), reading, figure);
    state.subscribe((values) => {
      task.show(values.studyTask);
      arms.show(values.arms);
      goal.show(values.goal);
      const shown = tasks.find((one) => one.task === values.studyTask)!;
      reading.textContent = compareArms(shown, values);
      figure.hidden = values.arms.length === 0;
      if (!figure.hidden) figure.show(figureOf(shown, values));
    });
  }
}

/** The accuracy at a share of the gain from the start to DAPO's final accuracy. */
const goalAccuracy = ({ start, goal }: StudyTask, share: Share): number => start + Number(share) * (goal - start);

/** How many updates the shown arms need, compared with DAPO. */
function compareArms(task: StudyTask, { arms, goal }: State): string {
  const parts = arms.flatMap((arm) => {
    const compared = task.comparisons[arm]?.[goal];
    if (!compared) return [];
    const [low, high] = compared.interval.map((bound) => bound.toFixed(2));
    const missed = compared.censored[0]!;
    const least = missed === task.seeds ? "at least " : "";
    const remark = missed === 0 ? "" : `; ${missed} of ${task.seeds} runs do not reach it and count as if they did at their end`;
    return [
      `${armLabels[arm]} needs ${least}${compared.ratio.toFixed(2)} times as many updates as DAPO (95 % interval ${low} to ${high}${remark})`,
    ];
  });
  if (parts.length === 0) return "Choose an objective other than DAPO, with which all others are compared.";
  const accuracy = formatNumber(100 * goalAccuracy(task, goal), 3);
  return `To reach ${shareLabels[goal]} (${accuracy} % right answers), ${parts.join("; ")}.`;
}

function figureOf(task: StudyTask, { arms, goal, studyTask }: State): FigureSpec {
  const curves = arms.flatMap((arm) => {
    const curve = task.curves.find((one) => one.arm === arm);
    if (!curve) return [];
    const points = curve.updates.map((updates, i) => ({
      updates,
      mean: 100 * curve.mean[i]!,
      low: 100 * curve.low[i]!,
      high: 100 * curve.high[i]!,
    }));
    return [{ ...curve, label: armLabels[arm], index: ARMS.indexOf(arm), points }];
  });
  return {
    title: `Right answers to held-out puzzles: ${taskLabels[studyTask]}`,
    description: `Line chart of the share of right answers against updates, for ${curves.map(({ label }) => label).join(", ")}: means over ${task.seeds} seeds, with a band from the lowest to the highest seed. The table below has the same data.`,
    file: `cispo-study-${studyTask}`,
    series: curves,
    chart: (width) => ({
      height: chartHeight(width),
      marginLeft: 44,
      marginRight: 16,
      x: { label: "updates", ticks: width < 480 ? 5 : 10 },
      y: { label: "right answers, %", domain: [0, 100], grid: true },
      marks: [
        Plot.ruleY([100 * goalAccuracy(task, goal)], { stroke: "currentColor", strokeDasharray: "2 4" }),
        ...curves.map(({ points, index }) =>
          Plot.areaY(points, { x: "updates", y1: "low", y2: "high", fill: seriesStyle(index).stroke, fillOpacity: 0.15 }),
        ),
        ...curves.map(({ points, index }) => Plot.line(points, { x: "updates", y: "mean", strokeWidth: 2.5, ...seriesStyle(index) })),
      ],
    }),
    columns: ["updates", ...curves.flatMap(({ label }) => [`${label}: mean, %`, "lowest seed", "highest seed"])],
    rows: (task.curves[0]?.updates ?? []).map((updates, i) => [
      updates,
      ...curves.flatMap(({ points }) => [points[i]!.mean, points[i]!.low, points[i]!.high]),
    ]),
    data: {
      task: task.task,
      start: task.start,
      goal: task.goal,
      curves: curves.map(({ arm, updates, mean, low, high }) => ({ arm, updates, mean, low, high, comparisons: task.comparisons[arm] })),
    },
  };
}

customElements.define("m1-cispo-study", CispoStudyView);
