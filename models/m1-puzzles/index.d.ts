/** The files of the bundled model by name, as addresses: `MiniMaxM1.load(files)` loads it. Importing this module fetches nothing. */
export declare const files: ReadonlyMap<string, URL>;
