import { SingleBar } from "cli-progress";
import type { Terminal } from "./terminal.js";

/** The progress of loading a model. */
export interface LoadedBytes {
  readonly loadedBytes: number;
  readonly totalBytes: number;
  readonly fraction: number;
}

export interface ProgressView {
  update(loaded: LoadedBytes): void;
  /** Removes the bar and shows the cursor again. */
  stop(): void;
}

/** Opens a progress view: a bar on a terminal, or a line per 10 % if stderr is not a terminal. */
export function openProgress(terminal: Terminal, label: string): ProgressView {
  return terminal.animated ? new ProgressBar(terminal, label) : new ProgressLines(terminal, label);
}

/** Minimum duration of a load that shows a bar. */
const BAR_DELAY_MS = 150;

class ProgressBar implements ProgressView {
  private readonly since = performance.now();
  private bar: SingleBar | undefined;

  constructor(
    private readonly terminal: Terminal,
    private readonly label: string,
  ) {}

  update({ loadedBytes, totalBytes }: LoadedBytes): void {
    if (!this.bar) {
      if (performance.now() - this.since < BAR_DELAY_MS || loadedBytes === totalBytes) return;
      const { err, stderr } = this.terminal;
      const format = `${this.label} ${err.cyan("{bar}")} {percentage}% {size}`;
      this.bar = new SingleBar({
        ...{ format, stream: stderr, hideCursor: true, gracefulExit: false, clearOnComplete: true, fps: 10, barsize: 30 },
        ...{ barCompleteChar: "█", barIncompleteChar: "░" },
      });
      this.bar.start(totalBytes, loadedBytes, { size: loadedOfTotal(loadedBytes, totalBytes) });
    }
    this.bar.update(loadedBytes, { size: loadedOfTotal(loadedBytes, totalBytes) });
  }

  stop(): void {
    this.bar?.stop();
    this.bar = undefined;
  }
}

class ProgressLines implements ProgressView {
  private tenths = 0;

  constructor(
    private readonly terminal: Terminal,
    private readonly label: string,
  ) {}

  update({ loadedBytes, totalBytes, fraction }: LoadedBytes): void {
    const tenths = Math.floor(fraction * 10 + 1e-9);
    if (tenths <= this.tenths) return;
    this.tenths = tenths;
    this.terminal.note(`${this.label} ${tenths * 10}% ${loadedOfTotal(loadedBytes, totalBytes)}`);
  }

  stop(): void {}
}

function loadedOfTotal(loaded: number, total: number): string {
  return `${(loaded / 2 ** 20).toFixed(1)} of ${(total / 2 ** 20).toFixed(1)} MiB`;
}
