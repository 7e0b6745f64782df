// Finding a package by what the user typed: a path, `file:///path`, or a bare name under the folder MODEL_REGISTRY (as in earth2mip).
// Remote stores (https, s3, hf, ngc) are recognised and refused with what to do instead: they are not built yet.

import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "../core/errors.js";
import { didYouMean } from "../core/suggest.js";

/** Where bare names and relative paths are looked up. */
export interface ResolveOptions {
  /** Default: the working directory. */
  readonly cwd?: string;
  /** Folder of packages by name. Default: the environment variable MODEL_REGISTRY; none when that is empty. */
  readonly registry?: string | undefined;
}

/** What `resolvePackage` understands, for messages. */
const supported = "a folder (./my-model), file:///path/to/my-model, or a name in the folder that MODEL_REGISTRY names";

/**
 * The folder of a package.
 * @throws UsageError for a kind of address that is not supported, or when nothing is there
 */
export async function resolvePackage(text: string, options: ResolveOptions = {}): Promise<string> {
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(text)?.[1]?.toLowerCase();
  if (scheme === "file") return fromFileUri(text);
  if (scheme !== undefined) {
    throw new UsageError(`packages cannot be opened from "${scheme}:" yet: ${text}`, {
      hint: `copy it to this machine and give ${supported}`,
    });
  }
  const path = resolve(options.cwd ?? process.cwd(), text);
  if (await isFolder(path)) return path;
  const registry = options.registry ?? process.env.MODEL_REGISTRY;
  const isName = !/[\\/]/.test(text) && text !== "" && !text.startsWith(".");
  if (registry && isName) {
    const named = join(resolve(registry), text);
    if (await isFolder(named)) return named;
    const names = await readdir(registry).catch(() => [] as string[]);
    throw new UsageError(`there is no package "${text}", neither here nor in the registry ${registry}`, {
      hint: `${didYouMean(text, names)} Give ${supported}.`.trim(),
    });
  }
  const neighbours = await readdir(dirname(path)).catch(() => [] as string[]);
  throw new UsageError(`there is no package at ${path}`, {
    hint: `${didYouMean(basename(path), neighbours)} Give ${supported}.`.trim(),
  });
}

// `file://models/a` names the host "models": earth2mip silently opened /a. Say what was meant instead.
function fromFileUri(text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new UsageError(`"${text}" is not a file address`, { hint: "write file:///absolute/path" });
  }
  if (url.host !== "" && url.host !== "localhost") {
    throw new UsageError(`"${text}" names a machine called "${url.host}"`, {
      hint: `did you mean "file:///${url.host}${url.pathname}"?`,
    });
  }
  return fileURLToPath(new URL(`file://${url.pathname}`));
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}
