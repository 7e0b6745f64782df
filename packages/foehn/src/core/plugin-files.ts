// Plugins as files: finding installed packages named `foehn-plugin-*` or `@scope/foehn-plugin-*`, and importing a plugin's module,
// TypeScript as it is. What a module brings (networks, strategies) is registered by training/plugins.ts.
// `foehn`, `@foehn/torch` and `zod` inside a plugin are the copies that run here, wherever its file lies: classes are then the same ones.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { ModelError, UsageError } from "./errors.js";
import { didYouMean } from "./suggest.js";

/** What the names of plugin packages begin with, after a scope. */
export const pluginPrefix = "foehn-plugin-";

/** A plugin that is installed, not yet loaded. */
export interface InstalledPlugin {
  /** Name of the npm package. */
  readonly name: string;
  readonly version: string;
  readonly directory: string;
}

/**
 * Plugin packages in the node_modules folders of a folder and of those above it; the nearest of a name counts. Reads folder names and
 * package.json only.
 */
export function findInstalledPlugins(from: string = process.cwd()): InstalledPlugin[] {
  const found = new Map<string, InstalledPlugin>();
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    const modules = join(folder, "node_modules");
    for (const entry of entriesOf(modules)) {
      const names = entry.startsWith("@") ? entriesOf(join(modules, entry)).map((name) => `${entry}/${name}`) : [entry];
      for (const name of names) {
        if (found.has(name) || !name.slice(name.indexOf("/") + 1).startsWith(pluginPrefix)) continue;
        const plugin = describe(join(modules, name), name);
        if (plugin !== undefined) found.set(name, plugin);
      }
    }
    if (dirname(folder) === folder) break;
  }
  return [...found.values()].sort((a, b) => a.name.localeCompare(b.name));
}

const entriesOf = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);

function describe(directory: string, name: string): InstalledPlugin | undefined {
  try {
    const manifest = JSON.parse(readFileSync(join(directory, "package.json"), "utf8")) as { version?: unknown };
    return { name, version: typeof manifest.version === "string" ? manifest.version : "0.0.0", directory };
  } catch {
    return undefined; // a folder without a package.json is no package
  }
}

/** What a plugin's module exports, by name. */
export type PluginExports = Readonly<Record<string, unknown>>;

/**
 * Imports a plugin given as a file.
 * @throws UsageError when it is not there; ModelError with the place of what is wrong in it
 */
export async function importPluginFile(file: string): Promise<PluginExports> {
  const path = resolve(file);
  if (!existsSync(path)) {
    const folder = dirname(path);
    throw new UsageError(`there is no plugin ${file}`, {
      hint:
        didYouMean(
          file,
          entriesOf(folder).map((name) => relative(process.cwd(), join(folder, name))),
        ) || "--plugin takes the path of a .ts or .js file",
    });
  }
  return importModule(path, pluginLabel(file));
}

/** Imports an installed plugin. @throws ModelError with the place of what is wrong in it */
export async function importInstalledPlugin({ name, directory }: InstalledPlugin): Promise<PluginExports> {
  const jiti = await loader();
  const parentURL = pathToFileURL(join(directory, "..", name.includes("/") ? ".." : ".", "..", "_")).href;
  const entry = jiti.esmResolve(name, { parentURL, try: true });
  if (entry === undefined) {
    throw new ModelError(`the plugin ${name} has no entry file`, {
      where: join(directory, "package.json"),
      hint: 'set "exports" to its module, such as "./src/index.ts"',
    });
  }
  return importModule(entry.startsWith("file:") ? fileURLToPath(entry) : entry, pluginLabel(name));
}

/**
 * Imports a file of code that is no plugin, such as that of a package, TypeScript as it is. It may import `foehn`, `@foehn/torch` and `zod`.
 * @param label what to call it in messages
 * @throws ModelError with the place of what is wrong in it
 */
export function importCode(path: string, label: string, hint = "correct it there"): Promise<PluginExports> {
  return importModule(path, { label, hint });
}

/** Path of the module that an import of `name` from a folder would give; undefined where nothing is installed under that name. */
export async function findInstalledModule(name: string, from: string): Promise<string | undefined> {
  const jiti = await loader();
  try {
    const found = jiti.esmResolve(name, { parentURL: pathToFileURL(join(resolve(from), "_")).href, try: true });
    // Built-in modules of Node are no model.
    if (found === undefined || /^(node|data):/.test(found)) return undefined;
    const path = found.startsWith("file:") ? fileURLToPath(found) : found;
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined; // not a name that can be resolved
  }
}

type Loader = ReturnType<typeof import("jiti").createJiti>;
let shared: Promise<Loader> | undefined;

/** One loader for all plugins, so that a module that two of them import is one. */
function loader(): Promise<Loader> {
  shared ??= (async () => {
    const [{ createJiti }, foehn, torch, zod] = await Promise.all([
      import("jiti"),
      import("foehn"),
      import("@foehn/torch"),
      import("zod"),
    ]);
    return createJiti(import.meta.url, {
      virtualModules: { foehn, "@foehn/torch": torch, zod },
      // Also what is compiled and installed must get those three.
      transformModules: [pluginPrefix],
      fsCache: false,
      interopDefault: false,
    });
  })();
  return shared;
}

/** How a module is spoken of when it does not load. */
interface ModuleLabel {
  readonly label: string;
  readonly hint: string;
}

const pluginLabel = (name: string): ModuleLabel => ({
  label: `the plugin ${name}`,
  hint: "correct it there, or leave the plugin out",
});

async function importModule(path: string, { label, hint }: ModuleLabel): Promise<PluginExports> {
  const jiti = await loader();
  try {
    return await jiti.import<PluginExports>(path);
  } catch (error) {
    const { what, where } = explain(error, path);
    throw new ModelError(`${label} does not load: ${what}`, { where, hint, cause: error });
  }
}

/** The first line of an error, and `file:line:column` in the plugin. */
function explain(error: unknown, path: string): { what: string; where: string } {
  const text = error instanceof Error ? error.message : String(error);
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  const folder = dirname(path);
  // Syntax errors say the place in their message, as (line:column) or path:line:column; others in their stack.
  const inText = /\((\d+):(\d+)\)/.exec(text);
  const frame = stack
    .split("\n")
    .map((line) => /(?:file:\/\/)?(\/[^\s()]+|[A-Za-z]:[^\s()]+):(\d+):(\d+)\)?$/.exec(line.trim()))
    .find((match) => match?.[1]?.startsWith(folder) && !match[1].includes("/jiti/"));
  const file = /(\/[^\s()':]+\.[cm]?[jt]sx?)/.exec(text)?.[1] ?? path;
  const where = inText ? `${file}:${inText[1]}:${inText[2]}` : frame ? `${frame[1]}:${frame[2]}:${frame[3]}` : path;
  const what = text
    .split("\n")[0]!
    .replace(/\s*\(\d+:\d+\)/, "")
    .replace(`${path}: `, "")
    .replace(/^ParseError: /, "")
    .trim();
  return { what, where };
}
