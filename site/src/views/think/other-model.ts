// The choice of another model: a folder or an address, and the downloads that the browser keeps.

import { button, type Control, checkboxes, radios, type TextInput, textInput } from "../../shared/controls.ts";
import { element, uniqueId } from "../../shared/dom.ts";
import type { ModelChoice } from "../../shared/live-model.ts";
import { formatBytes } from "../../shared/numbers.ts";

/** Precisions of a model's matrices in memory. */
export const PRECISIONS = ["stored", "q8", "q4"] as const;
export type Precision = (typeof PRECISIONS)[number];

const PRECISION_LABELS = { stored: "as stored", q8: "8 bits", q4: "4 bits (HypeNet-2B then takes 1.2 GiB)" } as const;

export interface OtherModelOptions {
  readonly onChoice: (choice: ModelChoice) => void;
  /** Called with the text of the address field, whenever it changes. */
  readonly onAddress: (text: string) => void;
  readonly onPrecision: (precision: Precision) => void;
  /** Called with a file that is no model, or a folder without one. */
  readonly onRefused: (reason: string) => void;
}

export class OtherModel {
  private readonly stored = element("ul", { class: "think-stored" });
  private readonly storedStatus = element("p", { role: "status" });
  private readonly address: TextInput;
  private readonly precisions: Control<Precision>;
  private precision: Precision = "stored";
  private keepsDownload = true;
  /** Text of the address field. */
  private text = "";
  readonly element: HTMLDetailsElement;

  constructor(private readonly options: OtherModelOptions) {
    const folder = element("input", { type: "file", id: uniqueId("folder"), multiple: true, webkitdirectory: true });
    folder.addEventListener("change", () => {
      const inFolder = [...(folder.files ?? [])].filter(({ webkitRelativePath }) => webkitRelativePath.split("/").length <= 2);
      this.chooseFiles(inFolder[0]?.webkitRelativePath.split("/")[0], inFolder);
    });
    this.address = textInput({
      label: "The URL of such a folder: https://huggingface.co/<owner>/<name>/resolve/main/",
      onInput: (text) => {
        this.text = text;
        options.onAddress(text);
      },
    });
    const keep = checkboxes<"keep">({
      label: "Download",
      choices: [{ value: "keep", label: "keep it in this browser, so that it can continue and need not be repeated" }],
      onInput: ({ length }) => {
        this.keepsDownload = length > 0;
      },
    });
    keep.show(["keep"]);
    this.precisions = radios<Precision>({
      label: "Weights in memory, of the next model",
      choices: PRECISIONS.map((value) => ({ value, label: PRECISION_LABELS[value] })),
      onInput: options.onPrecision,
    });
    const form = element("form", {}, this.address.element, keep.element, element("button", { type: "submit" }, "Load from URL"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.chooseAddress(this.text.trim());
    });
    this.element = element(
      "details",
      { class: "think-other" },
      element("summary", {}, "Another model"),
      button("Use the bundled model", () => options.onChoice({ name: "the bundled model" })),
      this.precisions.element,
      element("label", { for: folder.id }, "A folder with config.json, safetensors and tokenizer.json, as MiniMax-M1 is published"),
      folder,
      form,
      this.storedStatus,
      this.stored,
    );
    this.element.addEventListener("toggle", () => {
      if (this.element.open) void this.showStored();
    });
  }

  /** Shows an address, which is loaded when the reader says so. */
  showAddress(text: string): void {
    this.text = text;
    this.address.show(text);
    if (text !== "") this.element.open = true;
  }

  showPrecision(precision: Precision): void {
    this.precision = precision;
    this.precisions.show(precision);
  }

  /** Accepts a folder, or its files, that are dropped anywhere on the page. */
  acceptDrops(target: Document): void {
    target.addEventListener("dragover", (event) => {
      if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
    });
    target.addEventListener("drop", (event) => {
      if (!event.dataTransfer || event.dataTransfer.files.length === 0) return;
      event.preventDefault();
      readDrop(event.dataTransfer).then(
        ({ name, files }) => this.chooseFiles(name, files),
        (error: unknown) => this.options.onRefused(`The folder could not be read: ${error instanceof Error ? error.message : error}`),
      );
    });
  }

  /** Lists the downloads that the browser keeps. */
  async showStored(): Promise<void> {
    try {
      const { listDownloads } = await import("./downloads.ts");
      // A download of which nothing has arrived needs no place.
      const downloads = (await listDownloads()).filter(({ storedBytes }) => storedBytes > 0);
      this.storedStatus.textContent = downloads.length === 0 ? "No downloads are stored." : "";
      this.stored.replaceChildren(
        ...downloads.map(({ id, source = "a damaged download", storedBytes, complete }) => {
          const remove = button("Delete", () => void this.remove(id));
          remove.setAttribute("aria-label", `Delete ${source}`);
          return element("li", {}, `${source}: ${formatBytes(storedBytes)}, ${complete ? "complete" : "incomplete"} `, remove);
        }),
      );
    } catch (error) {
      this.storedStatus.textContent = `The stored downloads could not be read: ${error instanceof Error ? error.message : error}`;
    }
  }

  private async remove(id: string): Promise<void> {
    try {
      const { deleteDownload } = await import("./downloads.ts");
      const freed = await deleteDownload(id);
      await this.showStored();
      this.storedStatus.textContent = `Deleted: ${formatBytes(freed)} are free again.`;
    } catch (error) {
      this.storedStatus.textContent = `The download could not be deleted: ${error instanceof Error ? error.message : error}`;
    }
  }

  private chooseFiles(folder: string | undefined, files: readonly File[]): void {
    if (files.length === 0) return;
    if (!files.some(({ name }) => name.endsWith(".safetensors")) || !files.some(({ name }) => name === "config.json")) {
      this.options.onRefused("A model is a folder with config.json and .safetensors files. What you chose has none.");
      return;
    }
    this.choose({ name: folder || "your model", source: new Map(files.map((file) => [file.name, file])) });
  }

  private chooseAddress(text: string): void {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (!url || !/^https?:$/.test(url.protocol)) {
      this.address.remark("expected an address that begins with https://", false);
      return;
    }
    this.address.remark("", true);
    this.choose({ name: `${url.host}${url.pathname}`, source: url.href, keepsDownload: this.keepsDownload });
  }

  private choose(choice: ModelChoice): void {
    const { precision } = this;
    this.options.onChoice({ ...choice, dtype: precision === "stored" ? undefined : precision });
  }
}

/** Reads the files of a dropped folder, without those of its own folders. */
async function readDrop(transfer: DataTransfer): Promise<{ readonly name: string | undefined; readonly files: readonly File[] }> {
  // The items are gone after the event.
  const files = [...transfer.files];
  const folder = [...transfer.items].map((item) => item.webkitGetAsEntry()).find((entry) => entry?.isDirectory);
  if (!folder) return { name: undefined, files };
  const reader = (folder as FileSystemDirectoryEntry).createReader();
  const entries: FileSystemEntry[] = [];
  // A reader gives its entries in parts.
  for (let part: FileSystemEntry[] | undefined; part === undefined || part.length > 0; entries.push(...part)) {
    part = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
  }
  const inFolder = entries.filter((entry): entry is FileSystemFileEntry => entry.isFile);
  return { name: folder.name, files: await Promise.all(inFolder.map((entry) => new Promise<File>((ok, fail) => entry.file(ok, fail)))) };
}
