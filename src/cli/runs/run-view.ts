import { type Terminal, visible } from "../text/terminal.js";

/** A named value. */
export type LabelledValue = readonly [name: string, value: string];

/** A line of metrics, prepared for display. */
export interface MetricsDisplay {
  /** Values below the progress bar on a terminal. */
  readonly values: readonly LabelledValue[];
  /** Lines of at most `width` columns below the values on a terminal. */
  below?(width: number): readonly string[];
  /** Warnings, which stay above the redrawn lines. */
  readonly warnings?: readonly string[] | undefined;
  /** Parts of the line that is printed if stderr is not a terminal. If undefined, no line is printed. */
  readonly line?: readonly string[] | undefined;
}

/** Shows the progress of a run on stderr. */
export interface RunView {
  update(at: number, shown: MetricsDisplay): void;
  /** Draws the latest state and shows the cursor again. */
  stop(): void;
}

/** Opens a view: a panel that is redrawn on a terminal, or consecutive lines if stderr is not a terminal. */
export function openRunView(terminal: Terminal, unit: string, total: number): RunView {
  return terminal.animated ? new RunPanel(terminal, total) : new RunLines(terminal, unit, total);
}

/** Minimum time between two redraws. */
const FRAME_MS = 100;

class RunPanel implements RunView {
  private readonly clock = new RemainingTime();
  private drawn = 0;
  private drawnAt = Number.NEGATIVE_INFINITY;
  private latest: (() => string[]) | undefined;

  constructor(
    private readonly terminal: Terminal,
    private readonly total: number,
  ) {}

  update(at: number, shown: MetricsDisplay): void {
    const left = this.clock.left(at, this.total);
    this.latest = () => this.lines(at, shown, left);
    this.warn(shown.warnings ?? []);
    if (performance.now() - this.drawnAt >= FRAME_MS) this.draw();
  }

  /** Prints warnings in place of the panel, which is then redrawn below them. */
  private warn(warnings: readonly string[]): void {
    if (warnings.length === 0) return;
    if (this.drawn > 0) this.terminal.stderr.write(`\u001b[${this.drawn}A\r\u001b[J`);
    for (const warning of warnings) noteWarning(this.terminal, warning);
    this.drawn = 0;
    this.drawnAt = Number.NEGATIVE_INFINITY;
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

  private lines(at: number, { values, below }: MetricsDisplay, left: number | undefined): string[] {
    const { err, stderr } = this.terminal;
    const width = Math.max(40, (stderr.columns ?? 80) - 1);
    const progress = ` ${at} / ${this.total}${left === undefined ? "" : `, ${duration(left)} left`}`;
    const room = Math.max(8, Math.min(40, width - progress.length));
    const full = Math.round((room * at) / this.total);
    return [
      `${err.cyan("█".repeat(full) + "░".repeat(room - full))}${progress}`,
      ...packIntoLines(values, width).map((line) => line.map(([name, value]) => `${err.dim(name)} ${value}`).join("  ")),
      ...(below?.(width) ?? []).map((line) => err.dim(line)),
    ];
  }
}

function noteWarning(terminal: Terminal, warning: string): void {
  terminal.note(`${terminal.err.yellow("warning:")} ${visible(warning)}`);
}

/** Distributes entries over lines of at most `width` columns. */
export function packIntoLines<Words extends readonly string[]>(entries: readonly Words[], width: number): Words[][] {
  const lines: Words[][] = [];
  let filled = Number.POSITIVE_INFINITY;
  for (const entry of entries) {
    const size = entry.join(" ").length + 2;
    if (filled + size - 2 > width) {
      lines.push([]);
      filled = 0;
    }
    lines.at(-1)!.push(entry);
    filled += size;
  }
  return lines;
}

class RunLines implements RunView {
  private readonly clock = new RemainingTime();

  constructor(
    private readonly terminal: Terminal,
    private readonly unit: string,
    private readonly total: number,
  ) {}

  update(at: number, { line, warnings = [] }: MetricsDisplay): void {
    const left = this.clock.left(at, this.total);
    for (const warning of warnings) noteWarning(this.terminal, warning);
    if (!line) return;
    const time = left === undefined ? [] : [`${duration(left)} left`];
    this.terminal.note(`${this.unit} ${at} of ${this.total}: ${[...line, ...time].join(", ")}`);
  }

  stop(): void {}
}

/** Estimates the remaining time from the pace since the first update. */
class RemainingTime {
  private first: { readonly at: number; readonly ms: number } | undefined;

  left(at: number, total: number): number | undefined {
    const now = performance.now();
    this.first ??= { at, ms: now };
    return at > this.first.at ? ((now - this.first.ms) / 1000 / (at - this.first.at)) * (total - at) : undefined;
  }
}

/** Formats a duration: `2 h 05 min`, `3 min 20 s`, `8 s`. */
function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const two = (x: number) => `${x}`.padStart(2, "0");
  if (hours > 0) return `${hours} h ${two(minutes)} min`;
  return minutes > 0 ? `${minutes} min ${two(whole % 60)} s` : `${whole} s`;
}
