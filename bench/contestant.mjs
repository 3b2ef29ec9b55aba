// The library's matmul with float32 weights (or DTYPE=bf16), for a harness that compares implementations: A [M, K] times a constant W [K,
// N]. Environment: BUILD=simd|relaxed|debug, THREADS=n.
import { prepareProduct, setupProduct } from "./ours/product.mjs";

const dtype = process.env.DTYPE ?? "f32";
if (!["f32", "bf16"].includes(dtype)) throw new Error(`DTYPE: expected f32 or bf16, got ${dtype} (contestant-int8.mjs has int8 weights)`);
/** bf16 keeps eight bits of a weight. */
const tol = dtype === "bf16" ? 2e-3 : undefined;

export const setup = () => setupProduct(dtype);

export const prepare = async (shape, A, W) => ({ ...(await prepareProduct(shape, A, W, dtype)), ...(tol && { tol }) });
