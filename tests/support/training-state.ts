/** Moves the weights of a saved state along gradients. It becomes a state of the first format, which has no checksum. */
export function shift(state: Uint8Array, gradients: ReadonlyMap<string, Float32Array>, by: number): void {
  const view = new DataView(state.buffer);
  const length = Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(state.subarray(8, 8 + length)));
  for (const [name, gradient] of gradients) {
    const [begin] = header[`weight.${name}`].data_offsets;
    const values = new Float32Array(state.buffer, 8 + length + begin, gradient.length);
    for (const [i, g] of gradient.entries()) values[i]! += by * g;
  }
  withoutChecksum(state);
}

/** Converts a saved state to one of the first format, as earlier versions wrote it. */
export function withoutChecksum(state: Uint8Array): void {
  const text = new TextDecoder("latin1").decode(state);
  for (const [from, to] of [
    ["lightning-m1 training state 2", "lightning-m1 training state 1"],
    ['"checksum":', '"chechsum":'],
  ] as const) {
    const at = text.indexOf(from);
    state.set(new TextEncoder().encode(to), at);
  }
}
