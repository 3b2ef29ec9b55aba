// Packages that draw figures. They are optional peer dependencies, because most users never draw one.

import { createRequire } from "node:module";
import { LightningError } from "../../index.js";

/** Package names with a file of each, which is resolved to find out whether the package is installed. */
const SVG_PACKAGES = { "@observablehq/plot": "@observablehq/plot", linkedom: "linkedom" } as const;
const PNG_PACKAGES = {
  ...SVG_PACKAGES,
  "@resvg/resvg-wasm": "@resvg/resvg-wasm/index_bg.wasm",
  "dejavu-fonts-ttf": "dejavu-fonts-ttf/ttf/DejaVuSans.ttf",
} as const;

/** Returns the names of the packages that a format needs and that are not installed. */
export function missingFigurePackages(format: "svg" | "png"): string[] {
  const { resolve } = createRequire(import.meta.url);
  return Object.entries(format === "svg" ? SVG_PACKAGES : PNG_PACKAGES).flatMap(([name, file]) => {
    try {
      resolve(file);
      return [];
    } catch {
      return [name];
    }
  });
}

/** Returns the command that installs packages. */
export function installLine(packages: readonly string[]): string {
  return `npm i ${packages.join(" ")}`;
}

/** Checks that the packages of a format are installed. @throws {LightningError} some are not; the message contains the install command */
export function requireFigurePackages(where: string, format: "svg" | "png"): void {
  const missing = missingFigurePackages(format);
  if (missing.length === 0) return;
  throw new LightningError(
    `${where}: drawing .${format} files needs optional packages: expected ${missing.join(", ")}, got no installed packages. Install: ${installLine(missing)}`,
  );
}
