// Data that survives a reload, until the tab is closed. Without storage, it ends with the page.

/** Keeps a value that JSON can hold. */
export function keepInTab(key: string, value: unknown): void {
  try {
    sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    // Storage can be switched off or full.
  }
}

/** What the same tab has kept. Undefined if there is nothing. A key contains a number that changes with the form of its values. */
export function keptInTab<T>(key: string): T | undefined {
  try {
    const kept = sessionStorage.getItem(key);
    return kept === null ? undefined : (JSON.parse(kept) as T);
  } catch {
    return undefined;
  }
}
