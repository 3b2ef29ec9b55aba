/**
 * Returns the box that the published verifiers read: the last one in the whole message, ended by the first `}`. Returns undefined if there
 * is none.
 */
export function publishedBox(response: string): string | undefined {
  const opening = "\\boxed{";
  let last: string | undefined;
  for (let at = response.indexOf(opening); at >= 0; ) {
    const end = response.indexOf("}", at);
    if (end < 0) break;
    last = response.slice(at + opening.length, end);
    at = response.indexOf(opening, end);
  }
  return last;
}
