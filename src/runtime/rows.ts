import { MATMUL_PANEL_OUTPUTS, sizeOf, type Tensor } from "./tensor.js";

/** Copies the elements of a float32 tensor of either layout, row by row. */
export function readRows(x: Tensor): Float32Array<ArrayBuffer> {
  const { rt, shape } = x;
  if (x.layout === "rows") return rt.read(x);
  const [rows, width] = shape as [number, number];
  return rt.scope(() => {
    const w = rt.empty(shape);
    rt.kernels.unpackF32(w.ptr, x.ptr, rows, width);
    return rt.read(w);
  });
}

/** Sets the elements of a float32 tensor of either layout from numbers that are given row by row. */
export function writeRows(x: Tensor, data: Float32Array): void {
  const { rt, shape } = x;
  const [rows, width] = shape as [number, number];
  if (x.layout === "rows") rt.f32(x).set(data);
  else
    rt.scope(() => rt.kernels.packF32(x.ptr, rt.from(data, [sizeOf(shape)]).ptr, rows, width, 0, Math.ceil(rows / MATMUL_PANEL_OUTPUTS)));
}
