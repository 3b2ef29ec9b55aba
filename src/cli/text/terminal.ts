import type { Readable, Writable } from "node:stream";
import colours from "picocolors";

export type Input = Readable & { readonly isTTY?: boolean };
export type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };
export type Colours = ReturnType<typeof colours.createColors>;

/** The environment of a command. Results go to `stdout`, everything else to `stderr`. */
export interface Streams {
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by Ctrl-C and when stdout is closed. Its reason is a {@link CommandEnded}. */
  readonly signal: AbortSignal;
}

/** Ends a command early with an exit code and without a message. */
export class CommandEnded extends Error {
  constructor(readonly exitCode: number) {
    super(`ended with exit code ${exitCode}`);
  }
}

/** The streams of a command, with colours and output methods. */
export interface Terminal extends Streams {
  /** Colours of stdout. */
  readonly out: Colours;
  /** Colours of stderr. */
  readonly err: Colours;
  /** Whether lines on stderr may be redrawn. */
  readonly animated: boolean;
  /** Writes to stdout and waits while its buffer is full. */
  print(text: string): Promise<void>;
  /** Writes one line to stderr. */
  note(line: string): void;
}

/** Opens the terminal of a command. @param colour value of `--color` or `--no-color`, which override the environment */
export function openTerminal(streams: Streams, colour?: boolean): Terminal {
  const { stdout, stderr, env, signal } = streams;
  return {
    ...streams,
    out: colours.createColors(isColoured(stdout, env, colour)),
    err: colours.createColors(isColoured(stderr, env, colour)),
    animated: stderr.isTTY === true && env.TERM !== "dumb" && !env.CI,
    async print(text) {
      signal.throwIfAborted();
      if (text === "" || stdout.write(text)) return;
      await new Promise<void>((resolve) => {
        function done() {
          for (const event of ["drain", "error", "close"]) stdout.off(event, done);
          signal.removeEventListener("abort", done);
          resolve();
        }
        for (const event of ["drain", "error", "close"]) stdout.on(event, done);
        signal.addEventListener("abort", done);
      });
      signal.throwIfAborted();
    },
    note: (line) => void stderr.write(`${line}\n`),
  };
}

/** Returns whether a stream gets colours. The flag decides, then NO_COLOR, then FORCE_COLOR, and otherwise whether the stream is a terminal. */
function isColoured(stream: Output, env: Streams["env"], flag: boolean | undefined): boolean {
  if (flag !== undefined) return flag;
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== "0" && env.FORCE_COLOR !== "false";
  return stream.isTTY === true && env.TERM !== "dumb";
}

/**
 * Makes control characters in untrusted text visible, so that they cannot control the terminal. Line ends and tabs stay.
 * If the stream is not a terminal, the text is unchanged.
 */
export function printable(text: string, stream: Output): string {
  return stream.isTTY ? visible(text) : text;
}

/** Replaces control characters by their Unicode symbols. Line ends and tabs stay. */
export function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are replaced
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, (control) => {
    const code = control.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : "\u2421";
  });
}
