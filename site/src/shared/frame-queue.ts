// Drawings that may wait. One is done per frame, so that together they never delay a frame.

export class FrameQueue {
  private readonly waiting = new Map<string, () => void>();
  private frame: number | undefined;

  /** Adds a drawing. It replaces a drawing of the same name that still waits. */
  add(name: string, draw: () => void): void {
    this.waiting.set(name, draw);
    this.frame ??= requestAnimationFrame(() => this.run());
  }

  private run(): void {
    this.frame = undefined;
    const [next] = this.waiting;
    if (!next) return;
    const [name, draw] = next;
    this.waiting.delete(name);
    if (this.waiting.size > 0) this.frame = requestAnimationFrame(() => this.run());
    draw();
  }
}
