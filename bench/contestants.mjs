// The contestants: the library in each build, and the peers in each engine.
import { builds, engines } from "./engines.mjs";

const url = (path) => new URL(path, import.meta.url).href;

/** Returns the library in every build, each in the engine that it is meant for. */
export function ours(path, { threads = 1, env = {}, label = "", options = {} } = {}) {
  return builds.map((build) => ({
    name: ["lightning-m1", build, label, threads > 1 && `${threads} threads`].filter(Boolean).join(" "),
    module: url(path),
    engine: engines[build],
    env: { BUILD: build, THREADS: String(threads), ...env },
    options,
    threads,
    build,
  }));
}

/** Returns a peer in the engine of each build. */
export function peer(name, path, { threads = 1, options = {}, native = false } = {}) {
  const used = native || engines.simd === engines.relaxed ? ["simd"] : builds;
  return used.map((build) => ({
    name: threads > 1 ? `${name} ${threads} threads` : name,
    module: url(path),
    engine: engines[build],
    options: { threads, ...options },
    threads,
    build: native ? "native" : build,
    peer: true,
  }));
}

/** Returns the contestants that measure the limits of an engine: multiply-adds in registers, and reads from memory. */
export function limits() {
  return builds.map((build) => ({
    name: `limit ${build}`,
    module: url("ours/limits.mjs"),
    engine: engines[build],
    options: { build },
    build,
  }));
}
