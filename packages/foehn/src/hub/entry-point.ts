// Entry points: "module:function" in a metadata.json, as earth2mip writes them for Python. Here the module is TypeScript or JavaScript:
// a file of the package ("mine.ts:load", "./models/mine.js:load"; dots are folders, "models.mine:load"), or an installed npm package.
// Not here: whether it may run (trust.ts), and what is called with what (forecast/get-model.ts).

import { join } from "node:path";
import { ConfigError, ModelError } from "../core/errors.js";
import { findInstalledModule, importCode } from "../core/plugin-files.js";
import { didYouMean } from "../core/suggest.js";
import { isInside } from "../io/remote/object-path.js";

/** A function in a module. */
export interface EntryPoint {
  readonly module: string;
  readonly name: string;
  /** As it was written. */
  readonly text: string;
}

const codeEndings = [".ts", ".mts", ".js", ".mjs", ".cjs"];

/** @throws ConfigError for what is not "module:function" */
export function parseEntryPoint(text: string, where?: string): EntryPoint {
  const parts = text.split(":");
  const [module = "", name = ""] = parts.map((part) => part.trim());
  if (parts.length === 2 && module !== "" && /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name)) return { module, name, text };
  const dotted = /^(.+)\.([\w$]+)$/.exec(text.trim());
  throw new ConfigError(`"${text}" is no entry point`, {
    where,
    hint:
      parts.length === 1 && dotted && !codeEndings.some((ending) => text.endsWith(ending))
        ? `did you mean "${dotted[1]}:${dotted[2]}"?`
        : 'write it as "module:function", such as "models/mine.ts:load"',
  });
}

/** Where a module is. */
export type ModulePlace =
  | { readonly kind: "package"; readonly path: string }
  | { readonly kind: "npm"; readonly path: string }
  | { readonly kind: "nowhere"; readonly tried: readonly string[] };

/**
 * Looks for the module of an entry point; runs nothing.
 * @param files names of the package's files, with `/`
 * @param from folder whose `node_modules` are looked at last, and those above it
 */
export async function findModule(
  { module }: EntryPoint,
  files: readonly string[],
  from: string = process.cwd(),
): Promise<ModulePlace> {
  const tried = candidates(module);
  const found = tried.find((path) => files.includes(path));
  if (found !== undefined) return { kind: "package", path: found };
  for (const name of new Set([module, module.replaceAll(".", "/")])) {
    if (name.startsWith(".")) continue;
    const path = await findInstalledModule(name, from);
    if (path !== undefined) return { kind: "npm", path };
  }
  return { kind: "nowhere", tried };
}

/** Files in a package that a module's name may mean. */
export function candidates(module: string): string[] {
  const path = module.replace(/^\.\//, "");
  if (codeEndings.some((ending) => path.endsWith(ending))) return isInside(path) ? [path] : [];
  const stem = path.includes("/") ? path : path.replaceAll(".", "/");
  if (!isInside(stem)) return [];
  return [stem, `${stem}/index`].flatMap((base) => codeEndings.map((ending) => base + ending));
}

/** A function of a package: whatever it takes and gives. */
export type EntryFunction = (...args: readonly unknown[]) => unknown;

/**
 * Runs the module and gives its function. Call `requireTrust` first.
 * @param root folder in which the package's files lie
 * @throws ModelError when there is no such module or function, or the module does not load
 */
export async function loadEntryPoint(
  entry: EntryPoint,
  place: ModulePlace,
  { root, uri, files }: { readonly root: string; readonly uri: string; readonly files: readonly string[] },
): Promise<EntryFunction> {
  if (place.kind === "nowhere") throw notFound(entry, place.tried, uri, files);
  const path = place.kind === "package" ? join(root, place.path) : place.path;
  // A web server has no list of files: those that no manifest names are not known, and were not fetched.
  const hint = /^https?:/.test(uri)
    ? "correct it there, and list what it imports in the package's metadata.json, under files"
    : undefined;
  const exports = await importCode(path, `the code of the package ${uri}`, hint);
  const exported = exports[entry.name] ?? (exports.default as Record<string, unknown> | undefined)?.[entry.name];
  if (typeof exported === "function") return exported as EntryFunction;
  const names = Object.keys(exports).filter((name) => typeof exports[name] === "function");
  throw new ModelError(`the module ${entry.module} of the package ${uri} exports no function "${entry.name}"`, {
    where: path,
    hint: didYouMean(entry.name, names) || (names.length > 0 ? `it exports ${names.join(", ")}` : "export it"),
  });
}

/** @throws nothing: gives the error for a module that is not there */
function notFound(entry: EntryPoint, tried: readonly string[], uri: string, files: readonly string[]): ModelError {
  const code = files.filter((file) => codeEndings.some((ending) => file.endsWith(ending)));
  const python = files.find((file) => file === `${entry.module.replaceAll(".", "/")}.py`);
  const near = didYouMean(tried[0] ?? entry.module, code);
  return new ModelError(
    `the package ${uri} has no module "${entry.module}" (${entry.text}), and no npm package has it`,
    {
      hint: python
        ? `${python} is Python, which Foehn does not run: write the function in TypeScript beside it`
        : near ||
          (code.length > 0
            ? `its code is in ${code.slice(0, 8).join(", ")}`
            : `put it into the package, for example as ${tried[0] ?? "load.ts"}`),
    },
  );
}
