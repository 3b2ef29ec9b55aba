// The model of a view, in a worker: the bundled one, or one from a folder of the reader.

import type { WorkerModel } from "lightning-m1/worker";
import { element, uniqueId } from "./dom.ts";
import { formatCount } from "./numbers.ts";

/** Loads a model once, and shows how far it is. */
export class LiveModel {
  private readonly state = element("p", { role: "status" });
  private readonly progress = element("progress", { id: uniqueId("progress"), max: 1, value: 0, "aria-label": "Loading the model" });
  private readonly hint = element("p", { class: "live-model-hint" });
  readonly element = element("div", { class: "live-model" }, this.state, this.progress, this.hint);

  private loading: Promise<WorkerModel> | undefined;
  /** Aborts loading, if another model is chosen. */
  private loader = new AbortController();
  private files: ReadonlyMap<string, Blob> | undefined;
  private name = "the bundled model";

  /** @param tokenizer whether the page needs `model.tokenizer` */
  constructor(private readonly tokenizer = false) {
    this.progress.hidden = true;
  }

  /** Shows why the model is not loaded yet. */
  wait(reason: string): void {
    this.state.textContent = reason;
  }

  /** Loads the model, unless it is loaded or being loaded. After a failure, tries again. */
  load(): Promise<WorkerModel> {
    const { signal } = this.loader;
    this.loading ??= this.start(signal).catch((error: unknown) => {
      if (!signal.aborted) this.showFailure(error);
      throw error;
    });
    return this.loading;
  }

  /** Replaces the model by that of a folder: config.json, safetensors and the files of the tokenizer. */
  replace(name: string, files: ReadonlyMap<string, Blob>): Promise<WorkerModel> {
    const previous = this.loading;
    this.loader.abort();
    this.loader = new AbortController();
    this.loading = undefined;
    this.name = name;
    this.files = files;
    // A load that was aborted has left nothing.
    previous?.then((model) => model.dispose()).catch(() => {});
    return this.load();
  }

  private async start(signal: AbortSignal): Promise<WorkerModel> {
    const { name, files: own } = this;
    this.state.textContent = `Loading ${name}…`;
    this.hint.textContent = "";
    this.progress.value = 0;
    this.progress.hidden = false;
    const [{ createWorkerModel }, { files }] = await Promise.all([import("lightning-m1/worker"), import("lightning-m1/model")]);
    const model = await createWorkerModel(own ?? files, {
      signal,
      tokenizer: this.tokenizer,
      onProgress: ({ fraction }) => {
        this.progress.value = fraction;
      },
      onWarning: (warning) => {
        this.hint.textContent = warning;
      },
    });
    const { threads } = await model.statistics();
    if (signal.aborted) model.dispose();
    signal.throwIfAborted();
    this.progress.hidden = true;
    this.state.textContent =
      `Ready: ${name} (${formatCount(model.parameters)} parameters) computes in a worker ` +
      `with ${threads} ${threads === 1 ? "thread" : "threads"}, build ${model.build}.`;
    return model;
  }

  private showFailure(error: unknown): void {
    this.loading = undefined;
    this.progress.hidden = true;
    this.state.textContent = `The model could not be loaded: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Whether the reader's browser asks pages to save data. */
export function savesData(): boolean {
  return (navigator as Navigator & { readonly connection?: { readonly saveData?: boolean } }).connection?.saveData === true;
}
