// The addresses are spelled out because bundlers look for `new URL("…", import.meta.url)`, copy the file, and put its new address there.
export const files = new Map(
  Object.entries({
    "config.json": new URL("./config.json", import.meta.url),
    "model.safetensors": new URL("./model.safetensors", import.meta.url),
    "tokenizer.json": new URL("./tokenizer.json", import.meta.url),
    "tokenizer_config.json": new URL("./tokenizer_config.json", import.meta.url),
  }).map(([name, url]) => [name, unmoved(url, name)]),
);

/**
 * The development server of Vite up to version 7 moves this script into its cache, and leaves the files where they are. Turbopack's
 * addresses have no origin.
 */
function unmoved(url, name) {
  const address = url.href.replace(/\/node_modules\/\.vite\/.*$/, `/node_modules/lightning-m1/dist/standalone/model/${name}`);
  return new URL(address, globalThis.location?.href);
}
