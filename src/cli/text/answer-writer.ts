import { ReasoningSplitter } from "../../index.js";
import { printable, type Terminal } from "./terminal.js";

/** Streams an answer to stdout, with its reasoning dimmed and between `<think>` tags. */
export class AnswerWriter {
  private readonly splitter = new ReasoningSplitter();
  private thinking = false;

  constructor(private readonly terminal: Terminal) {}

  push(text: string): Promise<void> {
    return this.write(this.splitter.push(text));
  }

  async end(): Promise<void> {
    await this.write(this.splitter.end());
    await this.terminal.print("\n");
  }

  private async write({ reasoning, content }: { reasoning: string; content: string }): Promise<void> {
    const { out, stdout } = this.terminal;
    let thought = reasoning;
    if (reasoning && !this.thinking) thought = `<think>${reasoning}`;
    if (reasoning) this.thinking = true;
    if (content && this.thinking) {
      thought += "</think>";
      this.thinking = false;
    }
    await this.terminal.print((thought && out.dim(printable(thought, stdout))) + printable(content, stdout));
  }
}
