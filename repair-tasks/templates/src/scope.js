/** Names that a template sees: its data, and inside blocks those of the blocks around. */
export class Scope {
  constructor(data, { parent, special = {} } = {}) {
    this.data = data;
    this.parent = parent;
    this.special = special;
  }

  /** A scope inside this one. */
  child(data, special) {
    return new Scope(data, { parent: this, special });
  }

  /**
   * Returns the value of a path: `this`, `a.b`, `@index` or `@key`. The first name is looked up in the scopes from the inside out.
   * Undefined if there is none.
   */
  lookup(path) {
    if (path === "this" || path === ".") return this.data;
    const [first, ...rest] = path.split(".");
    const start = first === "this" ? this.data : this.find(first);
    return rest.reduce((value, name) => ownMember(value, name), start);
  }

  find(name) {
    if (Object.hasOwn(this.special, name)) return this.special[name];
    const value = name.startsWith("@") ? undefined : ownMember(this.data, name);
    return value === undefined && this.parent ? this.parent.find(name) : value;
  }
}

/** Own members only, so that templates cannot reach constructors. */
function ownMember(value, name) {
  if (value === null || value === undefined) return undefined;
  if (Array.isArray(value) && name === "length") return value.length;
  return typeof value === "object" && Object.hasOwn(value, name) ? value[name] : undefined;
}
