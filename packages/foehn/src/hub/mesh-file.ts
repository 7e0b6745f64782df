// The mesh that a graph network was trained on, when it was given as a file (`mesh_file`): the package takes it along, because the
// weights belong to it. A mesh that Foehn builds from the grid is built again instead.

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
  if (typeof path !== "string") return settings;
  if (!existsSync(path)) {
    throw new ConfigError(`the mesh of the training, ${path}, is not there any more`, {
      hint: "the package must contain it: put it back, or package from the folder where the training was started",
    });
  }
  const mesh = statSync(path).isDirectory() ? readGraphFolder(path, shape, compat !== "none") : readMesh(path);
  writeMesh(join(folder, packedMesh), mesh);
  return { ...settings, mesh_file: packedMesh, tmp_dir: null };
}

/** Settings of a package whose mesh file, if it has one, is the checked file of the package. */
export async function withPackedMesh(
  settings: Readonly<Record<string, unknown>>,
  file: (name: string) => Promise<string>,
): Promise<Readonly<Record<string, unknown>>> {
  return settings.mesh_file === packedMesh ? { ...settings, mesh_file: await file(packedMesh) } : settings;
}
