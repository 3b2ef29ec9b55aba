// Computes C = A · W in jax-js on its wasm backend. Both arrays and the result stay in its memory, so its time includes no copies.
globalThis.navigator ??= {};
const jax = await import("@jax-js/jax");

export async function setup() {
  const backends = await jax.init("wasm");
  jax.defaultDevice("wasm");
  return `jax-js (${backends.join(", ")}), Node ${process.versions.node}`;
}

export async function prepare({ M, N, K }, A, W) {
  const a = jax.numpy.array(A, { shape: [M, K] });
  const w = jax.numpy.array(W, { shape: [K, N] });
  await jax.blockUntilReady([a.ref, w.ref]);
  const matmul = jax.jit((x, y) => jax.numpy.matmul(x, y));
  let C;
  return {
    async run() {
      C?.dispose();
      C = matmul(a.ref, w.ref);
      await C.blockUntilReady();
    },
    result: () => C.ref.dataSync(),
    dispose() {
      for (const array of [a, w, C]) array.dispose();
    },
  };
}
