import { CheckpointError } from "./base/errors.js";

/** Locates the files of the bundled model. A script without `import.meta.url` cannot know where its own files are. */
export async function bundledModelFiles(): Promise<ReadonlyMap<string, URL>> {
  try {
    return (await import("lightning-m1/model")).files;
  } catch (cause) {
    throw new CheckpointError(
      "load: the files of the bundled model cannot be found, because this script was bundled without import.meta.url or without lightning-m1/model. Copy the package's folder dist/standalone/model to your server and load it by its URL.",
      { cause },
    );
  }
}
