/** Moves the weights of a saved state along gradients. */
export function shift(state: Uint8Array, gradients: ReadonlyMap<string, Float32Array>, by: number): void {
  const view = new DataView(state.buffer);
  const length = Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(state.subarray(8, 8 + length)));
  for (const [name, gradient] of gradients) {
    const [begin] = header[`weight.${name}`].data_offsets;
    const values = new Float32Array(state.buffer, 8 + length + begin, gradient.length);
    for (const [i, g] of gradient.entries()) values[i]! += by * g;
  }
}
