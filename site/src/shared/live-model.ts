// The model of a view, in a worker: the bundled one, or another one that the reader chose.

import type { WorkerModel } from "lightning-m1/worker";
import { button } from "./controls.ts";
import { element, uniqueId } from "./dom.ts";
import { formatCount } from "./numbers.ts";

/** Where a model comes from: files of a folder by name, or the URL of a checkpoint. */
export type ModelSource = ReadonlyMap<string, Blob> | string;

export interface ModelChoice {
  readonly name: string;
  /** The bundled model, if it is missing. */
  readonly source?: ModelSource | undefined;
  /** Whether the browser keeps what is downloaded (true). */
  readonly keepsDownload?: boolean;
  /** Precision of matrices in memory. By default as stored. */
  readonly dtype?: "q8" | "q4" | undefined;
}

const BUNDLED: ModelChoice = { name: "the bundled model" };

/** What each build of the kernels needs from the browser. */
const KERNELS = { simd: "SIMD", relaxed: "relaxed SIMD", debug: "debugging" } as const;

/** Loads a model once, and shows how far it is. */
export class LiveModel {
  private readonly state = element("p", { role: "status" });
  private readonly progress = element("progress", { id: uniqueId("progress"), max: 1, value: 0, "aria-label": "Loading the model" });
  private readonly hint = element("p", { class: "live-model-hint" });
  private readonly percent = element("span");
  private readonly cancelButton = button("Cancel", () => this.cancel());
  private readonly bar = element("div", { class: "live-model-progress" }, this.progress, this.percent, this.cancelButton);
  readonly element = element("div", { class: "live-model" }, this.state, this.bar, this.hint);

  private loading: Promise<WorkerModel> | undefined;
  /** Aborts loading, if another model is chosen. */
  private loader = new AbortController();
  private choice = BUNDLED;

  /**
   * @param tokenizer whether the page needs `model.tokenizer`
   * @param onLoad called when a load has ended in any way
   */
  constructor(
    private readonly tokenizer = false,
    private readonly onLoad = () => {},
  ) {
    this.bar.hidden = true;
  }

  /** Shows why the model is not loaded yet. */
  wait(reason: string): void {
    this.state.textContent = reason;
  }

  /** Loads the model, unless it is loaded or being loaded. After a failure, or if the worker has ended, tries again. */
  async load(): Promise<WorkerModel> {
    const model = await this.loadOnce();
    try {
      // A worker ends if the device has too little memory, for example.
      await model.statistics();
      return model;
    } catch {
      this.drop();
      return this.loadOnce();
    }
  }

  private loadOnce(): Promise<WorkerModel> {
    const { signal } = this.loader;
    this.loading ??= this.start(signal)
      .catch((error: unknown) => {
        if (!signal.aborted) this.showFailure(error);
        throw error;
      })
      .finally(this.onLoad);
    return this.loading;
  }

  /** Replaces the model by another one. */
  replace(choice: ModelChoice): Promise<WorkerModel> {
    this.drop();
    this.choice = choice;
    return this.load();
  }

  /** Cancels loading. The part of a download that has arrived is kept. */
  private cancel(): void {
    this.drop();
    this.bar.hidden = true;
    this.state.textContent = `Loading ${this.choice.name} was cancelled. It continues when you press Think.`;
  }

  /** Ends loading, and frees the model. */
  private drop(): void {
    const previous = this.loading;
    this.loader.abort(new DOMException("Loading was cancelled.", "AbortError"));
    this.loader = new AbortController();
    this.loading = undefined;
    // A load that was aborted has left nothing.
    previous?.then((model) => model.dispose()).catch(() => {});
  }

  private async start(signal: AbortSignal): Promise<WorkerModel> {
    const { name, source, dtype, keepsDownload = true } = this.choice;
    this.state.textContent = `Loading ${name}…`;
    this.hint.textContent = this.percent.textContent = "";
    this.progress.value = 0;
    this.bar.hidden = false;
    const [{ createWorkerModel }, { files }] = await Promise.all([import("lightning-m1/worker"), import("lightning-m1/model")]);
    const model = await createWorkerModel(source ?? files, {
      signal,
      tokenizer: this.tokenizer,
      ...(dtype && { dtype }),
      ...(typeof source === "string" && keepsDownload && { cache: true }),
      onProgress: ({ fraction, phase }) => {
        this.progress.value = fraction;
        this.percent.textContent = `${Math.floor(100 * fraction)} %, ${phase === "download" ? "downloading" : "loading"}`;
      },
      onWarning: (warning) => {
        this.hint.textContent = warning;
      },
    });
    const { threads } = await model.statistics();
    if (signal.aborted) model.dispose();
    signal.throwIfAborted();
    this.bar.hidden = true;
    this.state.textContent =
      `Ready: ${name} (${formatCount(model.parameters)} parameters) computes in a worker ` +
      `with ${threads} ${threads === 1 ? "thread" : "threads"} and the kernels for ${KERNELS[model.build]}.`;
    return model;
  }

  private showFailure(error: unknown): void {
    this.loading = undefined;
    this.bar.hidden = true;
    const message = error instanceof Error ? error.message : String(error);
    // The library's remedies, which end its messages, are written for programmers.
    const { source } = this.choice;
    const reason = source instanceof Map ? message : message.replace(/ \(.*$/s, "");
    this.state.textContent = `The model could not be loaded: ${reason}. ${this.remedy()}`.replace("..", ".");
  }

  private remedy(): string {
    const { source } = this.choice;
    if (source === undefined) return "Check the connection, and press Think to try again.";
    if (typeof source !== "string") return "";
    const isForeign = new URL(source).origin !== location.origin;
    return `Check the address and the connection${isForeign ? "; its server must allow requests from pages of other sites (CORS)" : ""}.`;
  }
}

/** Whether the reader's browser asks pages to save data. */
export function savesData(): boolean {
  return (navigator as Navigator & { readonly connection?: { readonly saveData?: boolean } }).connection?.saveData === true;
}
