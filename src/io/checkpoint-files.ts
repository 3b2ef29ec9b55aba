// Names of the files of a checkpoint, as transformers writes and reads them.

export const CONFIG_FILE = "config.json";

/** Name of the file of weights in a checkpoint that is not split. */
export const WEIGHTS_FILE = "model.safetensors";

/** Name of the index of a split checkpoint. It maps each tensor to the file that holds it. */
export const INDEX_FILE = "model.safetensors.index.json";

/** The only subdirectory of a checkpoint whose files are read. It holds chat templates for special cases. */
export const TEMPLATES_DIRECTORY = "additional_chat_templates";

/** The chat template for conversations with tools. */
export const TOOL_TEMPLATE_FILE = `${TEMPLATES_DIRECTORY}/tool_use.jinja`;

/** Text files that are loaded and saved with the weights. */
export const TEXT_FILES: readonly string[] = [
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
  "chat_template.jinja",
  "chat_template.json",
  TOOL_TEMPLATE_FILE,
];

/**
 * Returns whether a file name stays in its directory on every platform. Such a name has no separator, no `..`, and no characters with a
 * special meaning.
 */
export function isPlainName(file: string): boolean {
  return /^[\w][\w .+=@-]*$/.test(file);
}
