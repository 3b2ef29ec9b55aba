// Mutations that the tests must detect. `from` occurs exactly once in the file and is replaced by `to`. Then a test of `tests` must fail.
// If `only` is given, only the tests whose full name matches it count. A row whose text is no longer found is an error, so the table must
// be kept up to date with the code.

const KERNELS = ["tests/conformance/node-simd.test.ts"];

/** Returns a mutation of a kernel, which is compiled again for the build simd. */
const kernel = (file, from, to, only) => ({ file: `assembly/${file}.ts`, from, to, tests: KERNELS, only });
const source = (file, from, to, tests, only) => ({
  file: `src/${file}.ts`,
  from,
  to,
  tests: [tests].flat().map((t) => `tests/${t}.test.ts`),
  only,
});
const op = (file, from, to, only) => ({ file: `src/ops/${file}.ts`, from, to, tests: KERNELS, only });

export const mutations = [
  // Kernels
  kernel("pointwise", "f32.store(at(y, i), v * sigmoid1(v));", "f32.store(at(y, i), sigmoid1(v));", "elementwise"),
  kernel("pointwise", "f32x4.add(f32x4.mul(a, v128.load(at(x, i)))", "f32x4.sub(f32x4.mul(a, v128.load(at(x, i)))", "elementwise"),
  kernel("pointwise", "routed: f32 = 1 - shared", "routed: f32 = 1 + shared", "mix"),
  kernel("softmax", "f32.store(at(y, i), load<f32>(at(y, i)) / sum);", "f32.store(at(y, i), load<f32>(at(y, i)));", "softmax"),
  kernel("softmax", "return top + <f32>Math.log(sum);", "return <f32>Math.log(sum);", "softmax"),
  kernel("softmax", "f32.store(target, load<f32>(target) + d);", "f32.store(target, load<f32>(target) - d);", "targetLogprobs"),
  kernel("softmax", "(load<f32>(at(d, i)) - mean)", "load<f32>(at(d, i))", "gradients equal.*softmax"),
  kernel(
    "norm",
    "for (; i < N; i++) sum += load<f32>(at(a, i)) * load<f32>(at(a, i));",
    "for (; i < N; i++) sum += load<f32>(at(a, i));",
    "RMSNorm",
  ),
  kernel("norm", "* scale * scale * scale", "* scale * scale", "rmsNorm"),
  kernel("rope", "f32.store(at(b, j + half), v * cosine + u * sine);", "f32.store(at(b, j + half), v * cosine - u * sine);", "rotary"),
  kernel("rope", "for (let j = R; j < D; j++)", "for (let j = R + 1; j < D; j++)", "rope"),
  kernel("route", "(x == last && e > index)", "(x == last && e >= index)", "rout"),
  kernel("route", "for (let e = E; e > 0; e--)", "for (let e = E; e > 1; e--)", "rout"),
  kernel("route", "w * load<f32>(at(a, c)) + load<f32>(at(b, c))", "load<f32>(at(a, c)) + load<f32>(at(b, c))", "rout"),
  kernel("route", "(load<f32>(at(d, j)) - mean)", "load<f32>(at(d, j))", "rout"),
  kernel("lightning", "at(decay, m - 1 - j)", "at(decay, m - j)", "lightning attention equals"),
  kernel("lightning", "madd(x, v0, f32x4.mul(decay, v128.load(s)))", "madd(x, v0, v128.load(s))", "lightning attention equals"),
  kernel("lightning", "last = min(end, first + H)", "last = first + H", "lightningSteps"),
  kernel("lightning", "const MAX_SLOPE: f32 = 128;", "const MAX_SLOPE: f32 = Infinity;", "lightning attention"),
  kernel("lightning-backward", "age = e == T ? 0 : 1", "age = 1", "gradients equal.*lightning"),
  kernel("attention", "const first = n - T + 1,", "const first = n - T + 2,", "softmax attention equals"),
  kernel("attention", "let sum = load<f32>(L) * factor;", "let sum = load<f32>(L);", "softmax attention equals"),
  kernel("attention-backward", "A, padded, r, D, scale * by);", "A, padded, r, D, by);", "backward of softmax attention"),
  kernel(
    "attention-backward",
    "const least = past + 1 + r0 / G - s",
    "const least = past + 9 + r0 / G - s",
    "backward of softmax attention",
  ),
  kernel("kv-pages", "return top > 0 ? 127 / top : 0;", "return top > 0 ? 126 / top : 0;", "softmax attention equals"),
  kernel("kv-pages", "<u16>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)", "<u16>(bits >> 16)", "softmax attention equals"),
  kernel("embed", "f32.store(p, load<f32>(p) + load<f32>(at(src, i)));", "f32.store(p, load<f32>(at(src, i)));", "embed"),
  kernel(
    "pack",
    "const empty = i32x4.eq(v128.and(upper, i32x4.splat(0x7f)), i32x4.splat(0))",
    "const empty = i32x4.splat(0)",
    "rounding is to nearest",
  ),
  kernel("pack", "reinterpret<f32>(0x33800000)", "reinterpret<f32>(0x34000000)", "stored weights"),
  kernel("matmul-q8", "for (let r: i32 = 0; r < rows + rest; r++)", "for (let r: i32 = 0; r < rows; r++)", "q8"),
  kernel("q8", "max(largest, levels * f32.MIN_NORMAL_VALUE)", "largest", "q8"),
  kernel("matmul-q4", "for (let r: i32 = 0; r < rows + rest; r++)", "for (let r: i32 = 0; r < rows; r++)", "q4"),
  kernel("q4", "steps <= 16", "steps <= 15", "q4|4-bit"),
  kernel("matmul", "at(x, k) + (<usize>(tiled + r)) * ldx", "at(x, k) + (<usize>tiled) * ldx", "product"),
  kernel("matmul-backward", "width = min(8, N - n), c = dw", "width = min(7, N - n), c = dw", "gradients equal.*matmul"),
  kernel("synthetic", "i32x4.splat(0x846ca68b)", "i32x4.splat(0x846ca68d)", "formula|synthetic"),
  kernel("heads", "from = D * (t * K + h / group);", "from = D * (t * K + h % K);", "heads"),
  kernel("heads", "addTo(at(dk, to), at(from, D), 1, D);", "addTo(at(dk, to), from, 1, D);", "gradients equal.*joinHeads"),
  kernel("pointwise-backward", "s * (1 - s) * dot", "s * dot", "mix"),

  // Ops
  op("rope", "Math.fround((2 * j) / rotaryDim)", "Math.fround((2 * j + 1) / rotaryDim)", "rotary"),
  op("lightning", "if (rt.tape) before.push(copyTensor(state));", "if (rt.tape) before.push(state);", "gradients equal.*lightning"),
  op("matmul", "list.push(y.ptr + 4 * begin * outputs,", "list.push(y.ptr + 4 * begin * inputs,", "groups of rows"),
  source("ops/matmul", "work += 2 * own * outputs * inputs;", "work += own * outputs * inputs;", "analysis/flops"),
  source("ops/lightning", "return ((length - rest) * (rows + 1)", "return ((length - rest) * rows", "analysis/flops"),
  source("ops/balance", "(coefficient * experts * f * share)", "(coefficient * f * share)", "train/golden"),

  // Files, checkpoints and text
  source("io/safetensors", "if (tensor.begin !== end) {", "if (tensor.begin < end) {", "io/safetensors"),
  source("io/safetensors", "2 ** 32 * view.getUint32(4, true)", "2 ** 31 * view.getUint32(4, true) * 0", "io/safetensors"),
  source("checkpoint/fused-experts", '["w1", "w3"] : ["w2"]', '["w3", "w1"] : ["w2"]', "checkpoint/fused-experts"),
  source("io/mask-secrets", 'url.username = url.password = url.hash = "";', 'url.username = url.hash = "";', "io/mask-secrets"),
  source("text/merge-long-words", "if (previous[position]! >= 0) add(previous[position]!);", "", "text/encode-async"),
  source("text/parse-assistant", "this.take(THINK_CLOSE.length);", "this.take(0);", "text/parse-assistant"),
  source("model/decay-slopes", "(_, h) => h % 2 === 0", "(_, h) => h % 2 === 1", "model/decay-slopes"),
  source("model/transformer", "Math.log(t + scale.logBase)", "Math.log(t + 1 + scale.logBase)", "model/reference", "HypeNet"),

  // Generation
  source("generate/sample", "p[id]! < minP * p[ids[0] ?? id]!", "p[id]! < minP", "generate/sample"),
  source("generate/sample", "l[id]! > 0 ? l[id]! / penalty : l[id]! * penalty", "l[id]! / penalty", "generate/sample"),
  source("generate/sample", "x[a]! === x[b]! && a < b", "x[a]! === x[b]! && a > b", "generate/sample"),
  source("generate/stop-filter", "stops.map((stop) => stop.length - 1)", "stops.map((stop) => stop.length - 2)", "generate/stop-filter"),
  source(
    "generate/repetition",
    "run = logprob > threshold ? run + 1 : 0;",
    "run = logprob > threshold ? run + 1 : run;",
    "rl/curriculum/curriculum",
  ),

  // Serving
  source("serve/authentication", "!matches.includes(true)", "matches.includes(false)", [
    "serve/server",
    "serve/admission-queue",
    "serve/errors",
  ]),
  source("serve/cors", "return origins.length > 0 ? allow(c, next) : next();", "return next();", "serve/cors"),
  source("serve/request-limits", "if (depth > MAX_JSON_DEPTH)", "if (depth > 4 * MAX_JSON_DEPTH)", "serve/request-limits"),
  source("serve/request-limits", "count += inner.length;", "", "serve/request-limits"),
  source("serve/admission-queue", "this.activeByClient.has(client) ? 0 : Math.floor(this.maxWaiting / 4)", "0", "serve/admission-queue"),
  source("serve/admission-queue", "this.admitted - admittedBefore >= MAX_OVERTAKES", "false", "serve/admission-queue"),

  // Training and reinforcement learning
  source("train/schedule", "return (t + 1) / warmup;", "return t / warmup;", "train/trainer", "learning rate rises"),
  source("train/adamw", "const unbias = 1 / Math.sqrt(1 - beta2 ** t);", "const unbias = 1 / (1 - beta2 ** t);", "train/golden"),
  source("rl/objectives/cispo", "slope: c * A, clipped", "slope: r * A, clipped", [
    "rl/objectives/objectives",
    "rl/objectives/objective-laws",
  ]),
  source("rl/objectives/ratio-bounds", "maxWeight: 1 + high", "maxWeight: 1 + low", "rl/objectives/objectives"),
  source("rl/objectives/advantages", "/ (values.length - ddof)", "/ values.length", "rl/objectives/advantages"),
];
