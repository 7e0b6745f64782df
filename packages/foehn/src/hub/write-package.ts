// Writes a package: a folder with metadata.json and the files it lists, each with its SHA-256 and size; as a whole or not at all.
// Not here: reading one (model-package.ts); what goes in (training/package-contents.ts).

import { mkdir, readdir, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import * as torch from "@foehn/torch";
import { atomicWrite, sha256File, temporaryPath, toStorageError } from "../core/files.js";
import { moveToFinalName, refuseExisting, syncFolders } from "../io/final-name.js";
import type { PackageContents } from "../training/package-contents.js";
import { manifestOf, packageFiles } from "./contents.js";
import { manifestName, readManifest } from "./manifest.js";
import { packMesh } from "./mesh-file.js";

/** Options of `writePackage`. */
export interface WritePackageOptions {
  /** Replace an existing package. Default false. */
  readonly overwrite?: boolean;
  readonly license?: string;
}

/**
 * Writes a package: first in full under a temporary name beside `directory`, then renamed.
 * @returns the absolute path of the package
 * @throws UsageError when `directory` exists; StorageError when the disk fails (nothing is left behind)
 */
export async function writePackage(
  directory: string,
  contents: PackageContents,
  options: WritePackageOptions = {},
): Promise<string> {
  const target = resolve(directory);
  const finalName = { overwrite: options.overwrite === true, markers: [manifestName] };
  await refuseExisting(target, finalName);
  const temporary = temporaryPath(target);
  try {
    await mkdir(dirname(target), { recursive: true });
    await mkdir(temporary);
    writeTensors(temporary, contents);
    const settings = packMesh(temporary, contents.settings, contents.info.grid.shape);
    const files: Record<string, { sha256: string; size: number }> = {};
    for (const name of (await readdir(temporary)).sort()) files[name] = await sha256File(join(temporary, name));
    const { schema_version, name, version, ...rest } = manifestOf({ ...contents, settings });
    const license = options.license === undefined ? {} : { license: options.license };
    const manifest = { schema_version, name, version, ...license, ...rest, files };
    const path = join(temporary, manifestName);
    await atomicWrite(path, `${JSON.stringify(manifest, null, 2)}\n`);
    // What cannot be read back must not be handed out: NaN statistics become null in JSON, for one.
    readManifest(path);
    await syncFolders(temporary);
    await moveToFinalName(temporary, target, finalName);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw toStorageError(error, target);
  }
  return target;
}

function writeTensors(folder: string, { info, weights, climatology }: PackageContents): void {
  const [ny, nx] = info.grid.shape;
  torch.scope(() => {
    const fields = (values: Float32Array, ...rest: number[]) => torch.fromTypedArray(values, [ny, nx, ...rest]);
    if (weights.size > 0) torch.safetensors.save(join(folder, packageFiles.weights), weights);
    if (info.statics.names.length > 0) {
      const statics = fields(info.statics.fields, info.statics.names.length);
      torch.safetensors.save(join(folder, packageFiles.statics), { statics });
    }
    if (Object.keys(climatology).length > 0) {
      const means = Object.entries(climatology).map(([name, values]) => [name, fields(values)] as const);
      torch.safetensors.save(join(folder, packageFiles.climatology), new Map(means));
    }
  });
}
