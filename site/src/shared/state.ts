// The state of a view in the address: every view can be linked to, and survives a reload.

/** How a value is written to the address and read from it. */
export interface Field<T> {
  readonly initial: T;
  /** Reads a value. Returns undefined if the text is none; the initial value is then used. */
  parse(text: string): T | undefined;
  format(value: T): string;
  /** Whether the value is a reader's own text. It then stands in the fragment, which browsers do not send to servers. */
  readonly isPrivate?: boolean;
}

export type Fields<S> = { readonly [K in keyof S]: Field<S[K]> };

export function numberField(initial: number, { min = -Infinity, max = Infinity } = {}): Field<number> {
  return {
    initial,
    parse: (text) => {
      const value = text.trim() === "" ? Number.NaN : Number(text);
      return value >= min && value <= max ? value : undefined;
    },
    format: String,
  };
}

export function choiceField<T extends string>(initial: T, choices: readonly T[]): Field<T> {
  return { initial, parse: (text) => choices.find((choice) => choice === text), format: (value) => value };
}

/** A subset of the choices, in their order. */
export function subsetField<T extends string>(initial: readonly T[], choices: readonly T[]): Field<readonly T[]> {
  return {
    initial,
    parse: (text) => {
      const names = text === "" ? [] : text.split(".");
      return names.every((name) => choices.some((choice) => choice === name)) ? choices.filter((c) => names.includes(c)) : undefined;
    },
    format: (values) => values.join("."),
  };
}

export function flagField(initial: boolean): Field<boolean> {
  return { initial, parse: (text) => (text === "1" ? true : text === "0" ? false : undefined), format: (value) => (value ? "1" : "0") };
}

export function textField(initial: string, { maxLength = 2000 } = {}): Field<string> {
  return { initial, parse: (text) => (text.length <= maxLength ? text : undefined), format: (value) => value };
}

/** A reader's own text. */
export function privateTextField(initial: string, limits?: { readonly maxLength?: number }): Field<string> {
  return { ...textField(initial, limits), isPrivate: true };
}

/**
 * A record that is bound to the address. Values that differ from the initial ones are in the query, private ones in the fragment. Changes
 * replace the address, so that they add no entries to the history; other parameters stay.
 */
export class UrlState<S extends object> {
  private current: S;
  private readonly listeners = new Set<(state: S) => void>();
  private pending: number | undefined;

  constructor(private readonly fields: Fields<S>) {
    this.current = this.read();
    // Removes values that cannot be read, so that the address says what is shown.
    this.write();
    window.addEventListener("popstate", () => {
      this.current = this.read();
      this.notify();
    });
  }

  get value(): Readonly<S> {
    return this.current;
  }

  /** Changes some of the values, and calls the listeners. */
  set(change: Partial<S>): void {
    this.current = { ...this.current, ...change };
    // Browsers limit how often a page may change its address, and a slider changes many times a second.
    this.pending ??= window.setTimeout(() => {
      this.pending = undefined;
      this.write();
    }, 150);
    this.notify();
  }

  reset(): void {
    const initial = Object.fromEntries(this.names().map((name) => [name, this.fields[name].initial])) as S;
    this.set(initial);
  }

  /** Calls a function now and after every change. Returns a function that ends this. */
  subscribe(listener: (state: S) => void): () => void {
    this.listeners.add(listener);
    listener(this.current);
    return () => this.listeners.delete(listener);
  }

  private notify(): void {
    for (const listener of this.listeners) listener(this.current);
  }

  private names(): (keyof S & string)[] {
    return Object.keys(this.fields) as (keyof S & string)[];
  }

  private read(): S {
    const query = new URLSearchParams(location.search);
    const fragment = new URLSearchParams(location.hash.slice(1));
    const entries = this.names().map((name) => {
      const field = this.fields[name];
      const text = (field.isPrivate ? fragment : query).get(name);
      return [name, (text === null ? undefined : field.parse(text)) ?? field.initial];
    });
    return Object.fromEntries(entries) as S;
  }

  private write(): void {
    const url = new URL(location.href);
    const fragment = new URLSearchParams(url.hash.slice(1));
    for (const name of this.names()) {
      const field = this.fields[name];
      const parameters = field.isPrivate ? fragment : url.searchParams;
      const text = field.format(this.current[name]);
      // What could not be read again, such as a text that is too long, is left out.
      if (text === field.format(field.initial) || field.parse(text) === undefined) parameters.delete(name);
      else parameters.set(name, text);
    }
    // A fragment without private values may name a part of the page.
    if (this.names().some((name) => this.fields[name].isPrivate)) url.hash = fragment.toString();
    if (url.href !== location.href) history.replaceState(history.state, "", url);
  }
}
