// The library's matmul with int8 weights, for a harness that compares implementations: A [M, K] times a constant W [K, N]. Environment:
// BUILD=simd|relaxed|debug, THREADS=n.
import { prepareProduct, setupProduct } from "./ours/product.mjs";

/** Weights are rounded to eight bits. */
const tol = 3e-3;

export const setup = () => setupProduct("q8");

export const prepare = async (shape, A, W) => ({ ...(await prepareProduct(shape, A, W, "q8")), tol });
