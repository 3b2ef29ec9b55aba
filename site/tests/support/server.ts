// Serves the built site during all tests.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";
import { serve } from "../../scripts/serve.mjs";

export default async function setup(project: TestProject): Promise<() => void> {
  if (!existsSync(fileURLToPath(new URL("../../dist/index.html", import.meta.url)))) {
    throw new Error("site tests: expected the built site, found none (npm run site)");
  }
  const servers = [await serve({ isolated: true }), await serve({ isolated: false })] as const;
  project.provide("site", servers[0].url);
  project.provide("plainSite", servers[1].url);
  return () => {
    for (const server of servers) server.close();
  };
}

declare module "vitest" {
  interface ProvidedContext {
    /** The address of the site, cross-origin isolated. */
    site: string;
    /** The address of the site from a server that sets no headers. */
    plainSite: string;
  }
}
