// Opens onnxruntime, in wasm or native, in the same way for every contestant that uses it.

/** @returns `{ ort, info, open(model) }` for "web" or "node" */
export async function onnxruntime({ platform, threads = 1 }) {
  const ort = await import(`onnxruntime-${platform}`).then((module) => (module.InferenceSession ? module : module.default));
  ort.env.logLevel = "error";
  if (platform === "web") ort.env.wasm.numThreads = threads;
  const session =
    platform === "web"
      ? { executionProviders: ["wasm"] }
      : { executionProviders: ["cpu"], intraOpNumThreads: threads, interOpNumThreads: 1, logSeverityLevel: 3 };
  return {
    ort,
    info: `onnxruntime-${platform} ${ort.env.versions[platform]}, ${threads} thread${threads > 1 ? "s" : ""}, Node ${process.versions.node}`,
    open: (model) => ort.InferenceSession.create(new Uint8Array(model), { graphOptimizationLevel: "all", ...session }),
  };
}
