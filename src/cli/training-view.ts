import type { StepMetrics } from "../train/index.js";
import type { Terminal } from "./terminal.js";

/** How a training goes, on stderr. */
export interface TrainingView {
  /** @param loss the smoothed one */
  update(metrics: StepMetrics, loss: number): void;
  /** Leaves what is shown as it is, and the cursor visible. */
  stop(): void;
}

/** A few lines that are redrawn on a terminal; elsewhere a line every so many steps. */
export function openTrainingView(terminal: Terminal, steps: number): TrainingView {
  return terminal.animated ? new Panel(terminal, steps) : new Lines(terminal, steps);
}

/** Steps between two lines. */
const EVERY = 50;

/** Between two drawings. */
const FRAME_MS = 100;

class Panel implements TrainingView {
  private readonly clock = new Clock();
  private drawn = 0;
  private drawnAt = Number.NEGATIVE_INFINITY;
  private heldOut: number | undefined;
  private latest: (() => string[]) | undefined;

  constructor(
    private readonly terminal: Terminal,
    private readonly steps: number,
  ) {}

  update(metrics: StepMetrics, loss: number): void {
    const left = this.clock.left(metrics.step, this.steps);
    this.heldOut = metrics.heldOutLoss ?? this.heldOut;
    this.latest = () => this.lines(metrics, loss, left);
    if (performance.now() - this.drawnAt >= FRAME_MS) this.draw();
  }

  stop(): void {
    if (!this.latest) return;
    this.draw();
    this.terminal.stderr.write("\u001b[?25h");
    this.latest = undefined;
  }

  private draw(): void {
    const lines = this.latest!();
    const back = this.drawn > 0 ? `\u001b[${this.drawn}A\r` : "\u001b[?25l";
    this.terminal.stderr.write(`${back}\u001b[J${lines.join("\n")}\n`);
    this.drawn = lines.length;
    this.drawnAt = performance.now();
  }

  private lines(metrics: StepMetrics, loss: number, left: number | undefined): string[] {
    const { err, stderr } = this.terminal;
    const width = Math.max(40, (stderr.columns ?? 80) - 1);
    const progress = ` ${metrics.step} / ${this.steps}${left === undefined ? "" : `, ${duration(left)} left`}`;
    const room = Math.max(8, Math.min(40, width - progress.length));
    const full = Math.round((room * metrics.step) / this.steps);
    const facts = [
      ["loss", loss.toFixed(4)],
      ...(this.heldOut === undefined ? [] : [["held out", this.heldOut.toFixed(4)]]),
      ["tokens/s", metrics.tokensPerSecond.toFixed(0)],
      ["gradient", metrics.gradNorm.toPrecision(3)],
      ["rate", metrics.lr.toPrecision(3)],
    ] as const;
    return [
      `${err.cyan("█".repeat(full) + "░".repeat(room - full))}${progress}`,
      ...wrap(facts, width).map((line) => line.map(([name, value]) => `${err.dim(name!)} ${value}`).join("  ")),
      ...heat(metrics.expertLoad, width).map((line) => err.dim(line)),
    ];
  }
}

/** Facts in lines of at most this width. */
function wrap<Fact extends readonly string[]>(facts: readonly Fact[], width: number): Fact[][] {
  const lines: Fact[][] = [];
  let filled = Number.POSITIVE_INFINITY;
  for (const fact of facts) {
    const size = fact.join(" ").length + 2;
    if (filled + size - 2 > width) {
      lines.push([]);
      filled = 0;
    }
    lines.at(-1)!.push(fact);
    filled += size;
  }
  return lines;
}

const LEVELS = "▁▂▃▄▅▆▇█";
/** Lines of experts at most: the first layers'. */
const MOST_LINES = 4;

/** Per layer, how much each expert is used: ▅ is its even share, █ twice as much or more, ▁ next to nothing. */
export function heat(load: readonly ArrayLike<number>[], width: number): string[] {
  const layers = load.map((layer) => {
    const even = Array.from(layer).reduce((sum, x) => sum + x, 0) / layer.length;
    return Array.from(layer, (x) => LEVELS[Math.min(LEVELS.length - 1, Math.floor((4 * x) / even))] ?? LEVELS[0]!).join("");
  });
  const label = "experts ";
  const lines = wrap(
    layers.map((layer) => [layer.slice(0, width - label.length - 1)]),
    width - label.length,
  );
  return lines.slice(0, MOST_LINES).map((line, i) => {
    const more = i === MOST_LINES - 1 && lines.length > MOST_LINES ? "…" : "";
    return `${i === 0 ? label : " ".repeat(label.length)}${line.flat().join("  ")}${more}`;
  });
}

class Lines implements TrainingView {
  private readonly clock = new Clock();

  constructor(
    private readonly terminal: Terminal,
    private readonly steps: number,
  ) {}

  update({ step, heldOutLoss, tokensPerSecond, gradNorm, lr }: StepMetrics, loss: number): void {
    const left = this.clock.left(step, this.steps);
    if (step % EVERY !== 0 && step !== this.steps && heldOutLoss === undefined) return;
    this.terminal.note(
      [
        `step ${step} of ${this.steps}: loss ${loss.toFixed(4)}`,
        ...(heldOutLoss === undefined ? [] : [`held out ${heldOutLoss.toFixed(4)}`]),
        `${tokensPerSecond.toFixed(0)} tokens/s`,
        `gradient ${gradNorm.toPrecision(3)}`,
        `rate ${lr.toPrecision(3)}`,
        ...(left === undefined ? [] : [`${duration(left)} left`]),
      ].join(", "),
    );
  }

  stop(): void {}
}

/** Time that is left, by the pace since the first step that it was told of. */
class Clock {
  private first: { readonly step: number; readonly at: number } | undefined;

  left(step: number, steps: number): number | undefined {
    const now = performance.now();
    this.first ??= { step, at: now };
    return step > this.first.step ? ((now - this.first.at) / 1000 / (step - this.first.step)) * (steps - step) : undefined;
  }
}

/** `2 h 05 min`, `3 min 20 s`, `8 s`. */
function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const two = (x: number) => `${x}`.padStart(2, "0");
  if (hours > 0) return `${hours} h ${two(minutes)} min`;
  return minutes > 0 ? `${minutes} min ${two(whole % 60)} s` : `${whole} s`;
}
