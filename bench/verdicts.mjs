// Targets and measured results, as rows of a table that are computed from the results of the groups.

/**
 * Speed of the published PyTorch code (float32, AVX-512), relative to wllama's compat build in Node 20. Both were measured on another
 * machine.
 */
const PYTORCH = { prefill: { 1: 911 / 217, 2: 1690 / 378 }, decode: { 1: 47 / 87.5, 2: 56 / 105 } };

const times = (ratio) => `${ratio.toFixed(2)}×`;
const percent = (fraction) => `${(100 * fraction).toFixed(0)} %`;

/**
 * @param {Record<string, object>} parts the groups' figures by name
 * @returns rows `{ what, simd, relaxed }`, each build with `{ target, figure, met }`; `met` is undefined if there is no target or no figure
 */
export function verdicts({ products, int8, lightning, threads, model, train, long, pretrained }) {
  /** Returns the median of a contestant, or undefined if it is missing. A native peer counts for both builds. */
  const rate = (heat, name, build, metric = "run") =>
    heat?.results.find((result) => result.name === name && [build, "native"].includes(result.build))?.rates[metric]?.median;
  const ratio = (heat, [ours, peer], build, metric) => rate(heat, ours(build), build, metric) / rate(heat, peer, build, metric);
  const heatsOf = (part, wanted) => (part?.heats ?? []).filter(({ task, title }) => wanted(task, title));
  const library =
    (label = "") =>
    (build) =>
      `lightning-m1 ${build}${label}`;

  const many = heatsOf(products, ({ M }) => M >= 32);
  const shape = (part, m, k, n) => heatsOf(part, ({ M, K, N }) => M === m && K === k && N === n);
  const cubes = heatsOf(products, ({ M, K, N }) => M === K && K === N && [512, 1024].includes(M));
  const threaded = heatsOf(threads, ({ kind, M }) => kind === "product" && M >= 256);
  const whole = (dtype, count) => heatsOf(model, (_, title) => title.startsWith(`model ${dtype}, ${count} thread`))[0];
  const suffix = (count) => (count > 1 ? ` ${count} threads` : "");

  /** Compares with a peer at its best block size, within the heat of that size. */
  function bestBlock(peer, build) {
    const heats = heatsOf(lightning, ({ tokens }) => tokens === 16384).filter((heat) => rate(heat, peer, build));
    const best = heats.sort((a, b) => rate(b, peer, build) - rate(a, peer, build))[0];
    return best ? [ratio(best, [library(), peer], build)] : [];
  }

  function models(dtype, peer, metric, build) {
    return [1, 2].map((count) => ratio(whole(dtype, count), [library(suffix(count)), peer + suffix(count)], build, metric));
  }

  /**
   * The rate of the matmuls alone, at 2 operations per weight and token, divided by the rate of one matmul with the same number of rows.
   */
  const prefillEfficiency = (build) =>
    [1, 2].map((count) => {
      const heat = whole("f32", count);
      const product = rate(heat, `lightning-m1 ${build} product${suffix(count)}`, build, "product");
      return (rate(heat, library(suffix(count))(build), build, "prefill") * 2 * model?.weights.body) / 1e9 / product;
    });

  /** The bytes of weights per second of decoding, divided by the bytes per second that memory can deliver, for one thread. */
  const decodeEfficiency = (build) =>
    Object.entries({ f32: 4, bf16: 2, q8: 1 }).map(([dtype, width]) => {
      const heat = whole(dtype, 1);
      const bytes = (model?.weights.body + model?.weights.head) * width;
      return (rate(heat, library()(build), build, "decode") * bytes) / 1e9 / rate(heat, `limit ${build}`, build, "read");
    });

  /** Speed of 4-bit weights relative to 8-bit ones, on one and two threads. */
  const fourBits = (metric) => (build) => {
    const [q8, q4] = pretrained?.heats ?? [];
    return [1, 2]
      .map((count) => library(suffix(count))(build))
      .map((name) => rate(q4, name, build, metric) / rate(q8, name, build, metric));
  };

  const lightningSeries = long?.series.find(({ name }) => name === "all lightning")?.points ?? [];
  const here = (position) => lightningSeries.find((point) => point.position === position)?.prefillHere;

  /** Creates a row. A target is a lower bound of the figures or, with `worst: Math.max`, an upper bound. */
  const row = (what, simd, relaxed, figures, format = times, worst = Math.min) => ({
    what,
    targets: { simd, relaxed },
    figures,
    format,
    worst,
  });
  const rows = [
    row("float32 matmuls of 32 rows or more: speed relative to onnxruntime-web", 1.5, 1.75, (b) =>
      many.map((h) => ratio(h, [library(), "onnxruntime-web"], b)),
    ),
    row("float32 matmuls of 32 rows or more: speed relative to tfjs-wasm", 1.3, 1.6, (b) =>
      many.map((h) => ratio(h, [library(), "tfjs-wasm"], b)),
    ),
    row(
      "float32 matmuls of 512³ and 1024³: share of the WebAssembly peak with fused multiply-add",
      0.7,
      0.88,
      (b) => cubes.map((h) => rate(h, library()(b), b) / rate(h, "limit relaxed", "relaxed", "peak")),
      percent,
    ),
    row("float32 matmul of one row, 1×512×1536: speed relative to onnxruntime-web", 1.35, 1.5, (b) =>
      shape(products, 1, 512, 1536).map((h) => ratio(h, [library(), "onnxruntime-web"], b)),
    ),
    row(
      "smallest matmul, 1×1×8: microseconds per call",
      1,
      1,
      (b) => shape(products, 1, 1, 8).map((h) => (1e6 * h.task.K * 2 * h.task.N) / 1e9 / rate(h, library()(b), b)),
      (us) => `${us.toFixed(2)} µs`,
      Math.max,
    ),
    row("int8 matmul of one row, 1×2048×6144: speed relative to onnxruntime-web with float32", 3.5, 3.5, (b) =>
      shape(int8, 1, 2048, 6144).map((h) => ratio(h, [library(" q8"), "onnxruntime-web"], b)),
    ),
    row("int8 matmuls of 32 rows or more: speed relative to onnxruntime-web with int8", undefined, undefined, (b) =>
      heatsOf(int8, ({ M }) => M >= 32).map((h) => ratio(h, [library(" q8"), "onnxruntime-web int8"], b)),
    ),
    row("lightning attention, 8 heads of 128, 16,384 tokens: speed relative to onnxruntime-web at its best chunk size", 2, 2.4, (b) =>
      bestBlock("onnxruntime-web", b),
    ),
    row("the same: speed relative to native onnxruntime", 0.8, 1, (b) => bestBlock("onnxruntime-node", b)),
    row("matmuls of 256 rows or more: speed of two threads relative to one", 1.6, 1.6, (b) =>
      threaded.map((h) => rate(h, library(" 2 threads")(b), b) / rate(h, library()(b), b)),
    ),
    row("prefill of the benchmark model: speed of two threads relative to one", 1.6, 1.6, (b) =>
      heatsOf(threads, ({ kind }) => kind === "model").map(
        (h) => rate(h, library(" f32 2 threads")(b), b, "prefill") / rate(h, library(" f32")(b), b, "prefill"),
      ),
    ),
    row("prefill, float32, one and two threads: speed relative to wllama on the same engine", 1.9, 2.4, (b) =>
      models("f32", "wllama", "prefill", b),
    ),
    row("decode, float32, one and two threads: speed relative to wllama on the same engine", 1.3, 1.3, (b) =>
      models("f32", "wllama", "decode", b),
    ),
    row("decode, int8, one and two threads: speed relative to native llama.cpp with Q8_0 ²", 1.2, 1.2, (b) =>
      models("q8", "llama.cpp", "decode", b),
    ),
    row("prefill, float32, one and two threads: estimated speed relative to the published PyTorch code ¹", undefined, undefined, (b) =>
      models("f32", "wllama", "prefill", b).map((r, i) => r / PYTORCH.prefill[i + 1]),
    ),
    row("decode, float32, one and two threads: estimated speed relative to the published PyTorch code ¹", undefined, undefined, (b) =>
      models("f32", "wllama", "decode", b).map((r, i) => r / PYTORCH.decode[i + 1]),
    ),
    row("prefill of 512 tokens, one and two threads: rate relative to a single matmul", 0.7, 0.7, prefillEfficiency, percent),
    row("decode with float32, bf16 and int8: share of the memory bandwidth", 0.7, 0.7, decodeEfficiency, percent),
    row("decode in HypeNet-2B's shape, one and two threads: speed of 4-bit weights relative to 8-bit", 1.6, 1.6, fourBits("decode")),
    row("prefill in HypeNet-2B's shape, one and two threads: speed of 4-bit weights relative to 8-bit", 0.9, 0.9, fourBits("prefill")),
    row(
      "training step, one and two threads with one document, then with eight documents: rate relative to a single matmul",
      0.5,
      0.5,
      (b) =>
        (train?.heats ?? []).flatMap((h) =>
          [1, 2].map(
            (count) => rate(h, library(suffix(count))(b), b, "step") / rate(h, library(` product${suffix(count)}`)(b), b, "product"),
          ),
        ),
      percent,
    ),
    row(
      "a model of lightning layers only: rate of prefill at 1,000,000 tokens relative to 10,000",
      undefined,
      0.9,
      (b) => (b === "relaxed" ? [here(1e6) / here(1e4)] : []),
      percent,
    ),
  ];
  return rows.map(({ what, targets, figures, format, worst }) => {
    const judged = Object.entries(targets).map(([build, target]) => {
      const found = figures(build).filter(Number.isFinite);
      const [sign, reached] = worst === Math.min ? ["≥", worst(...found) >= target] : ["≤", worst(...found) <= target];
      const met = found.length > 0 && target !== undefined ? reached : undefined;
      return [build, { target: target && `${sign} ${format(target)}`, figure: found.map(format).join(", "), met }];
    });
    return { what, ...Object.fromEntries(judged) };
  });
}
