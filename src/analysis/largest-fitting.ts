/** Finds the largest integer within [0, limit] that fits, by bisection. If x fits, every smaller integer must fit too. */
export function largestFitting(fits: (x: number) => boolean, limit: number): number {
  let [below, above] = [0, Math.floor(limit) + 1];
  while (above - below > 1) {
    const middle = Math.floor((below + above) / 2);
    if (fits(middle)) below = middle;
    else above = middle;
  }
  return below;
}
