// Things by name, to which projects and plugins add their own: networks, strategies, losses, observers, datasets. One registry says what
// is there, refuses a name that is taken, and helps with a name that is not known. Not here: what the things are.

import { ConfigError, UsageError } from "./errors.js";
import { didYouMean } from "./suggest.js";

/** How a registry calls what it holds, and what it asks of it. */
export interface RegistryOptions<T> {
  /** In messages: one of them (`loss`), several (`losses`). */
  readonly one: string;
  readonly many: string;
  /** The name of an item, then other names that it answers to. */
  readonly names: (item: T) => readonly string[];
  /** An item in a message about two of one name: its class, or what it is for. */
  readonly describe: (item: T) => string;
  /** What to do about two of one name. */
  readonly rename?: string;
  /** What makes two names one; by default only equal names are. */
  readonly key?: (name: string) => string;
}

/** Items by name, in the order in which they came. */
export class Registry<T extends object> {
  readonly #options: RegistryOptions<T>;
  readonly #items = new Map<string, T>();
  readonly #origins = new Map<T, string>();

  constructor(options: RegistryOptions<T>) {
    this.#options = options;
  }

  /**
   * Adds an item; adding it again changes nothing.
   * @param origin the plugin it comes from
   * @throws ConfigError when another item has one of its names
   */
  register(item: T, origin?: string): void {
    const { names, one, many, describe, rename = "rename one" } = this.#options;
    for (const name of names(item)) {
      const known = this.find(name);
      if (known === undefined || known === item) continue;
      const from = (place: string | undefined) => (origin === undefined ? "" : ` of ${place ?? "Foehn itself"}`);
      const both = `${describe(known)}${from(this.#origins.get(known))} and ${describe(item)}${from(origin)}`;
      throw new ConfigError(`two ${many} are called "${name}": ${both}`, {
        hint: `${rename}; each ${one} has its own name`,
      });
    }
    for (const name of names(item)) this.#items.set(this.#key(name), item);
    if (origin !== undefined) this.#origins.set(item, origin);
  }

  /** The item of a name, if there is one. */
  find(name: string): T | undefined {
    return this.#items.get(this.#key(name));
  }

  has(name: string): boolean {
    return this.find(name) !== undefined;
  }

  /** The item of a name. @throws UsageError for an unknown name, with the nearest ones */
  get(name: string): T {
    const item = this.find(name);
    if (item === undefined) throw new UsageError(`unknown ${this.#options.one} "${name}"`, { hint: this.known(name) });
    return item;
  }

  /** The plugin that brought an item; undefined for Foehn's own and for unknown names. */
  originOf(name: string): string | undefined {
    const item = this.find(name);
    return item && this.#origins.get(item);
  }

  list(): T[] {
    return [...new Set(this.#items.values())];
  }

  /** What to say about an unknown name: the nearest names and all of them. */
  known(name: string): string {
    const names = this.list().map((item) => this.#options.names(item)[0]!);
    return `${didYouMean(name, names)} Known ${this.#options.many}: ${names.join(", ")}.`.trim();
  }

  #key(name: string): string {
    return (this.#options.key ?? String)(name);
  }
}

/** Names without case, dashes, underscores and blanks: `HalfUNet`, `half-unet` and `halfunet` are one. */
export function looseName(name: string): string {
  return name.toLowerCase().replace(/[-_ ]/g, "");
}
