// The rate of the library's float32 matmul, for comparison with a computation that consists of matmuls. The task names the shape.
import { random } from "../random.mjs";
import { prepareProduct, setupProduct } from "./product.mjs";

export const setup = () => setupProduct("f32");

export async function prepare({ product: shape }) {
  const { M, N, K } = shape;
  const product = await prepareProduct(shape, random(M * K, 1), random(K * N, 2), "f32");
  return {
    run() {
      const begin = performance.now();
      product.run();
      return { product: performance.now() - begin };
    },
    dispose: product.dispose,
  };
}
