// The mesh that a graph network was trained on, when it was given as a file (`mesh_file`): the package takes it along, because the
// weights belong to it. A mesh that Foehn builds from the grid is built again instead. Settings of a package name no place outside of it:
// whoever wrote them would choose what is read, and where files are made, on the machine that opens the package.

import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "../core/errors.js";
import { readMesh, writeMesh } from "../grid/mesh/file.js";
import { readGraphFolder } from "../grid/mesh/neural-lam-graph.js";
import type { NetworkSettings } from "../models/network.js";

/** Name of the file in a package. */
const packedMesh = "mesh.safetensors";

/**
 * Copies the mesh of a network into a package's folder, as one file.
 * @returns the settings that name it there, without folders of this machine
 * @throws ConfigError when the file of the training is gone; FormatError when it is damaged
 */
export function packMesh(folder: string, settings: NetworkSettings, shape: readonly [number, number]): NetworkSettings {
  const { mesh_file: path, compat = "none" } = settings as { mesh_file?: unknown; compat?: unknown };
  if (typeof path !== "string") return withoutFolder(settings);
  if (!existsSync(path)) {
    throw new ConfigError(`the mesh of the training, ${path}, is not there any more`, {
      hint: "the package must contain it: put it back, or package from the folder where the training was started",
    });
  }
  const mesh = statSync(path).isDirectory() ? readGraphFolder(path, shape, compat !== "none") : readMesh(path);
  writeMesh(join(folder, packedMesh), mesh);
  return { ...withoutFolder(settings), mesh_file: packedMesh };
}

/**
 * Settings of a package whose mesh file, if it has one, is the checked file of the package.
 * @throws what `file` throws, when the mesh is none of the package's files
 */
export async function withPackedMesh(
  settings: Readonly<Record<string, unknown>>,
  file: (name: string) => Promise<string>,
): Promise<Readonly<Record<string, unknown>>> {
  const { mesh_file: mesh } = settings;
  return { ...withoutFolder(settings), ...(typeof mesh === "string" ? { mesh_file: await file(mesh) } : {}) };
}

/** Built meshes go to this machine's cache, not to that of the training. */
function withoutFolder<S extends Readonly<Record<string, unknown>>>(settings: S): S {
  return typeof settings.tmp_dir === "string" ? { ...settings, tmp_dir: null } : settings;
}
