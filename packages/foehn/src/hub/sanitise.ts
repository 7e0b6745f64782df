// Makes a package that needs no trust of one that does: pickled state dicts become safetensors files (read without running anything),
// code and other pickles are left out, and metadata.json gets a table with the hash of every file. What lies in archives stays there: the
// loaders that read them run nothing. Not here: fetching (package.ts).

import { copyFile, mkdir, open, readFile, rm } from "node:fs/promises";
import { dirname, extname, join, resolve } from "node:path";
import * as torch from "@foehn/torch";
import yauzl from "yauzl";
import { ConfigError, FormatError, ModelError } from "../core/errors.js";
import { atomicWrite, sha256File, temporaryPath, toStorageError } from "../core/files.js";
import { throwIfInterrupted } from "../core/interrupt.js";
import { moveToFinalName, refuseExisting, syncFolders } from "../io/final-name.js";
import { manifestName, readManifest } from "./manifest.js";
import type { Package } from "./package.js";

/** Options of `sanitisePackage`. */
export interface SanitiseOptions {
  /** Replace an existing folder. Default false. */
  readonly overwrite?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** What became of a file. */
export interface SanitisedFile {
  readonly path: string;
  readonly action: "kept" | "converted" | "left out";
  /** Its new name, or why it is not there. */
  readonly note?: string;
}

/** What `sanitisePackage` did. */
export interface SanitiseResult {
  /** Absolute path of the new package. */
  readonly path: string;
  readonly files: readonly SanitisedFile[];
}

const pickled = new Set([".pt", ".pth", ".ckpt", ".tar", ".bin"]);
const code = new Set(
  ".py .pyc .pyd .ipynb .ts .mts .cts .tsx .js .mjs .cjs .jsx .node .wasm .so .dll .dylib .exe .sh .bat .cmd .ps1 .whl .jar".split(
    " ",
  ),
);
const otherPickles = new Set([".pkl", ".pickle", ".joblib", ".dill"]);

/**
 * Writes a package without code and pickles beside the given one, which is not changed.
 * @throws UsageError when `directory` exists; ModelError when a pickled file holds no state dict; ConfigError for a metadata.json that is
 * wrong, or of which nothing is left without its code
 */
export async function sanitisePackage(
  pkg: Package,
  directory: string,
  options: SanitiseOptions = {},
): Promise<SanitiseResult> {
  const target = resolve(directory);
  const finalName = { overwrite: options.overwrite === true, markers: [manifestName] };
  await refuseExisting(target, finalName);
  const temporary = temporaryPath(target);
  const files: SanitisedFile[] = [];
  const renamed = new Map<string, string>();
  try {
    await mkdir(temporary, { recursive: true });
    for (const { path } of await pkg.list()) {
      throwIfInterrupted(options.signal, `sanitising ${pkg.uri}`);
      if (path === manifestName) continue;
      files.push(await oneFile(pkg, path, temporary, renamed));
    }
    const manifest = await cleanManifest(pkg, files, renamed);
    const table: Record<string, { sha256: string; size: number }> = {};
    const kept = files.flatMap(({ path, action }) => (action === "left out" ? [] : [renamed.get(path) ?? path]));
    for (const name of kept.sort()) table[name] = await sha256File(join(temporary, name));
    const written = join(temporary, manifestName);
    await atomicWrite(written, `${JSON.stringify({ ...manifest, files: table }, null, 2)}\n`);
    readManifest(written);
    await syncFolders(temporary);
    await moveToFinalName(temporary, target, finalName);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw toStorageError(error, target);
  }
  return { path: target, files };
}

async function oneFile(
  pkg: Package,
  path: string,
  folder: string,
  renamed: Map<string, string>,
): Promise<SanitisedFile> {
  const kind = extname(path).toLowerCase();
  if (code.has(kind)) return { path, action: "left out", note: "code" };
  if (otherPickles.has(kind)) return { path, action: "left out", note: "a pickle" };
  const source = await pkg.resolve(path);
  if (
    (kind === ".npy" && holdsObjects(await firstBytes(source, 4096))) ||
    (kind === ".npz" && (await anyObjects(source)))
  ) {
    return { path, action: "left out", note: "an array of pickled objects" };
  }
  if (pickled.has(kind) && !(await isTorchScript(source))) {
    const name = `${path.slice(0, -kind.length)}.safetensors`;
    await mkdir(dirname(join(folder, name)), { recursive: true });
    convert(source, join(folder, name), path);
    renamed.set(path, name);
    return { path, action: "converted", note: name };
  }
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await copyFile(source, join(folder, path));
  return { path, action: "kept" };
}

/** The tensors of a checkpoint, as they are named there, without the `module.` of data-parallel training. */
function convert(source: string, target: string, path: string): void {
  torch.scope(() => {
    let value: unknown;
    try {
      value = torch.load(source);
    } catch (error) {
      throw new ModelError(
        `${path} cannot be read as a checkpoint: ${error instanceof Error ? error.message : error}`,
        {
          hint: "leave the file out of the package, or convert it where it was made",
          cause: error,
        },
      );
    }
    const tensors = stateDictOf(value);
    if (tensors === undefined) {
      throw new ModelError(`${path} holds no state dict`, {
        hint: "leave the file out of the package; only tensors by name can be kept",
      });
    }
    const names = [...tensors.keys()];
    const prefix = names.every((name) => name.startsWith("module.")) ? "module.".length : 0;
    torch.safetensors.save(
      target,
      new Map([...tensors].map(([name, tensor]) => [name.slice(prefix), tensor.contiguous()])),
      { metadata: { format: "pt", source: path } },
    );
  });
}

/** Tensors by name, as they stand or under one of the keys that training programs use. */
function stateDictOf(value: unknown): Map<string, torch.Tensor> | undefined {
  if (!(value instanceof Map)) return undefined;
  const candidates = [value, ...["state_dict", "model_state", "model", "ema_state_dict"].map((key) => value.get(key))];
  return candidates.find(
    (candidate): candidate is Map<string, torch.Tensor> =>
      candidate instanceof Map &&
      candidate.size > 0 &&
      [...candidate].every(([name, item]) => typeof name === "string" && item instanceof torch.Tensor),
  );
}

/** TorchScript archives are programs of tensors only, run by libtorch and not by Python. */
async function isTorchScript(path: string): Promise<boolean> {
  if ((await firstBytes(path, 2)) !== "PK") return false;
  const zip = await yauzl.openPromise(path, { lazyEntries: true, autoClose: false });
  try {
    for await (const entry of zip.eachEntry()) if (entry.fileName.includes("/code/")) return true;
    return false;
  } finally {
    zip.close();
  }
}

/** Whether the header of a .npy file names Python objects, also as a field of records. */
function holdsObjects(beginning: string): boolean {
  const header = /'descr':(.*?)'fortran_order'/s.exec(beginning)?.[1] ?? beginning;
  return /'[|<>=]?O\d*'/.test(header);
}

/** The same of the arrays of a .npz file. @throws FormatError when it is no zip */
async function anyObjects(path: string): Promise<boolean> {
  try {
    const zip = await yauzl.openPromise(path, { lazyEntries: true, autoClose: false });
    try {
      for await (const entry of zip.eachEntry()) {
        const stream = await zip.openReadStreamPromise(entry);
        const [first] = await stream.take(1).toArray();
        stream.destroy();
        if (holdsObjects(Buffer.from((first as Uint8Array | undefined) ?? []).toString("latin1"))) return true;
      }
      return false;
    } finally {
      zip.close();
    }
  } catch (error) {
    throw new FormatError(`${path} is no archive of arrays: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
}

async function firstBytes(path: string, count: number): Promise<string> {
  const handle = await open(path, "r");
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(count), 0, count, 0);
    return buffer.subarray(0, bytesRead).toString("latin1");
  } finally {
    await handle.close();
  }
}

async function cleanManifest(
  pkg: Package,
  files: readonly SanitisedFile[],
  renamed: ReadonlyMap<string, string>,
): Promise<Record<string, unknown>> {
  const path = await pkg.resolve(manifestName);
  readManifest(path); // says where it is wrong
  const {
    files: _,
    entrypoint,
    architecture_entrypoint,
    ...rest
  } = JSON.parse(await readFile(path, "utf8")) as Record<string, unknown>;
  if ((entrypoint || architecture_entrypoint) && !rest.architecture) {
    throw new ConfigError(`nothing is left of ${pkg.uri} without its code: metadata.json names an entry point only`, {
      hint: 'give the network as "architecture" with "settings" and "weights", as ONNX or as TorchScript',
    });
  }
  const weights = rest.weights;
  if (typeof weights === "string") {
    const gone = files.find((file) => file.path === weights && file.action === "left out");
    if (gone) throw new ConfigError(`the weights ${weights} of ${pkg.uri} are ${gone.note}, which cannot be kept`);
    rest.weights = renamed.get(weights) ?? weights;
  }
  // earth2mip's packages do not name their weights: they are the one checkpoint.
  const [only, ...others] = renamed.values();
  if (weights === undefined && only !== undefined && others.length === 0) rest.weights = only;
  return rest;
}
