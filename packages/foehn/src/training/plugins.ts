// Plugins: modules that bring networks, strategies and observers of their own. Files are given (`--plugin`, `plugins:`); installed packages are looked
// for when a name is not known here, or when everything is to be listed. What a plugin exports is registered as the zoo's own classes are;
// losses and datasets a plugin registers by itself.

import { basename, resolve } from "node:path";
import { ModelError } from "../core/errors.js";
import {
  findInstalledPlugins,
  importInstalledPlugin,
  importPluginFile,
  type PluginExports,
} from "../core/plugin-files.js";
import { listDatasets } from "../datasets/registry.js";
import { Network, type NetworkClass } from "../models/network.js";
import { networks } from "../models/registry.js";
import { losses } from "./losses/registry.js";
import { type ObserverDefinition, observers } from "./observer.js";
import { strategies } from "./strategies/registry.js";
import { Strategy, type StrategyClass } from "./strategies/strategy.js";

const loaded = new Map<string, Promise<void>>();

/**
 * Loads plugins given as files, each once.
 * @throws UsageError for a missing file; ModelError for one that does not load or brings nothing; ConfigError for a name that is taken
 */
export async function loadPluginFiles(files: readonly string[]): Promise<void> {
  for (const file of files) await once(resolve(file), () => registerModule(() => importPluginFile(file), file));
}

/** Loads every installed plugin, each once. @param from where to begin to look for node_modules folders */
export async function loadInstalledPlugins(from?: string): Promise<void> {
  for (const plugin of findInstalledPlugins(from)) {
    const origin = `${plugin.name}@${plugin.version}`;
    await once(plugin.directory, () => registerModule(() => importInstalledPlugin(plugin), origin));
  }
}

/** What a run or a package needs to know by name, as it stands in a file: not checked yet. */
export interface NeededNames {
  readonly model?: unknown;
  readonly strategy?: unknown;
  readonly dataset?: unknown;
  /** A name, a block with one, or a list of blocks. */
  readonly loss?: unknown;
  readonly observers?: unknown;
  /** Files of plugins. */
  readonly plugins?: unknown;
}

/** Loads the plugin files, and the installed plugins when a name is still unknown. Unknown names are no error here. */
export async function loadPluginsFor(needed: NeededNames): Promise<void> {
  const { model, strategy, dataset, plugins } = needed;
  if (Array.isArray(plugins)) await loadPluginFiles(plugins.filter((file) => typeof file === "string"));
  const knowsAll = [
    isKnown(model, (name) => name === "" || networks.has(name)),
    isKnown(strategy, (name) => strategies.has(name)),
    isKnown(dataset, (name) => listDatasets().some((entry) => entry.name === name)),
    lossNames(needed.loss).every((name) => losses.has(name) || /^(weighted|scaled)_?loss$/i.test(name)),
    asList(needed.observers).every((name) => isKnown(name, (text) => isObserverWord(text) || observers.has(text))),
  ].every(Boolean);
  if (!knowsAll) await loadInstalledPlugins();
}

const isKnown = (name: unknown, has: (name: string) => boolean): boolean => typeof name !== "string" || has(name);
const isObserverWord = (name: string): boolean => name === "all" || name === "none";
const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : value == null ? [] : [value]);

/** The names in what a file says about the loss. */
function lossNames(spec: unknown): string[] {
  return asList(spec)
    .map((block) => {
      if (typeof block !== "object" || block === null) return block;
      const { name, class: className } = block as { readonly name?: unknown; readonly class?: unknown };
      return name ?? className;
    })
    .filter((name) => typeof name === "string");
}

/** The plugins that a network and a strategy come from, as a package remembers them: `foehn-plugin-x@1.0.0`, or a file without its folder. */
export function originsOf(model: string, strategy: string): string[] {
  const origins = [networks.originOf(model), strategies.originOf(strategy)].filter((origin) => origin !== undefined);
  return [...new Set(origins.map((origin) => (isPackage(origin) ? origin : basename(origin))))];
}

const isPackage = (origin: string): boolean => /^(@[^/]+\/)?foehn-plugin-[^/]*@/.test(origin);

/** How to come by plugins that are not here: `foehn-plugin-x@1.0.0`, or the file that was given. */
export function howToGet(origins: readonly string[]): string {
  return origins
    .map((origin) => (isPackage(origin) ? `npm install ${origin}` : `pass --plugin with the file ${origin}`))
    .join("; ");
}

/** A module may also register losses and datasets by itself, when it is imported. */
async function registerModule(load: () => Promise<PluginExports>, origin: string): Promise<void> {
  const before = losses.list().length + listDatasets().length;
  const exports = await load();
  registerPlugin(exports, origin, losses.list().length + listDatasets().length - before);
}

/**
 * Registers the classes that a module exports.
 * @param origin what to call the plugin in messages
 * @param ownCount how much the module has registered by itself
 * @throws ModelError when it brings nothing, or a class lacks what its contract asks for
 */
export function registerPlugin(exports: PluginExports, origin: string, ownCount = 0): void {
  let count = ownCount;
  for (const [name, value] of Object.entries(exports)) {
    if (isSubclass(value, Network) && Object.hasOwn(value, "modelName")) {
      require(value, name, origin, ["modelType", "onnxSupported", "settings"]);
      networks.register(value as unknown as NetworkClass, origin);
      count++;
    } else if (isSubclass(value, Strategy) && Object.hasOwn(value, "strategyName")) {
      require(value, name, origin, ["summary", "settings"]);
      strategies.register(value as unknown as StrategyClass, origin);
      count++;
    } else if (isObserver(value)) {
      observers.register(value);
      count++;
    }
  }
  if (count > 0) return;
  throw new ModelError(`the plugin ${origin} exports neither a network, nor a strategy, nor an observer`, {
    hint: "export a class that extends Network, with a static modelName, or Strategy, with a static strategyName; import both from foehn. Observers: docs/guides/observers.md. Losses and datasets: call losses.register or registerDataset",
  });
}

/** An observer's definition is a plain object. */
function isObserver(value: unknown): value is ObserverDefinition {
  if (typeof value !== "object" || value === null) return false;
  const { name, summary, create } = value as Partial<Record<keyof ObserverDefinition, unknown>>;
  return typeof name === "string" && typeof summary === "string" && typeof create === "function";
}

function isSubclass(value: unknown, base: { readonly prototype: object }): value is { readonly prototype: object } {
  return typeof value === "function" && value.prototype instanceof (base as unknown as new () => object);
}

function require(value: object, name: string, origin: string, members: readonly string[]): void {
  const lacking = members.filter((member) => !(member in value));
  if (lacking.length === 0) return;
  throw new ModelError(`the class ${name} of the plugin ${origin} has no static ${lacking.join(", ")}`, {
    hint: "docs/guides/your-model.md shows a complete one",
  });
}

function once(key: string, load: () => Promise<void>): Promise<void> {
  let running = loaded.get(key);
  if (running === undefined) {
    running = load();
    loaded.set(key, running);
    running.catch(() => loaded.delete(key));
  }
  return running;
}
