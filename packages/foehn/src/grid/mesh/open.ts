// The mesh of a network: built once per grid and settings and kept in a cache folder, or read from a file that someone made.
// A cache file is named after everything that decides its contents, written whole, and built anew when it cannot be used, so
// any number of processes may share the folder.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { cacheDir } from "../../core/cache-dir.js";
import { ConfigError, isFoehnError, StorageError } from "../../core/errors.js";
import { toStorageError } from "../../core/files.js";
import { buildMesh } from "./build.js";
import { readMesh, writeMesh } from "./file.js";
import type { Mesh, MeshSettings } from "./mesh.js";
import { readGraphFolder } from "./neural-lam-graph.js";

/** Raised whenever buildMesh gives other numbers for the same arguments: old cache files are then left alone. */
const RECIPE = 1;

/** Where a mesh comes from. */
export interface MeshSource extends MeshSettings {
  /** A mesh file, or a folder as neural-lam's `create_graph` writes it; null: build one. */
  readonly meshFile: string | null;
  /** Folder of built meshes; null: `meshes` in the cache folder. */
  readonly folder: string | null;
}

/**
 * The mesh for a grid of (H, W) points.
 * @throws ConfigError for a file that is not there, made for another grid or another kind of mesh, and for a grid too small
 */
export function openMesh(shape: readonly [number, number], source: MeshSource): Mesh {
  return source.meshFile === null ? cachedMesh(shape, source) : givenMesh(source.meshFile, shape, source);
}

/** Name of the cache file: for people the shape and kind, for certainty a hash of all that matters. */
export function meshFileName(shape: readonly [number, number], settings: MeshSettings): string {
  const { hierarchical, maxLevels, compat } = settings;
  const identity = JSON.stringify({ recipe: RECIPE, shape, hierarchical, maxLevels, compat });
  const hash = createHash("sha256").update(identity).digest("hex").slice(0, 16);
  return `${shape.join("x")}-${hierarchical ? "hierarchical" : "flat"}-${hash}.safetensors`;
}

function cachedMesh(shape: readonly [number, number], source: MeshSource): Mesh {
  const path = join(source.folder ?? cacheDir("meshes"), meshFileName(shape, source));
  if (existsSync(path)) {
    try {
      const mesh = readMesh(path);
      if (mesh.gridShape.join() === shape.join() && isHierarchical(mesh) === source.hierarchical) return mesh;
    } catch (err) {
      if (!isFoehnError(err, "format", "storage")) throw err;
    }
  }
  const mesh = buildMesh(shape, source);
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeMesh(path, mesh);
  } catch (err) {
    // The cache saves time and nothing else: a folder that cannot be written must not stop a forecast.
    if (!(toStorageError(err, path) instanceof StorageError)) throw err;
  }
  return mesh;
}

function givenMesh(path: string, shape: readonly [number, number], { hierarchical, compat }: MeshSettings): Mesh {
  if (!existsSync(path)) {
    throw new ConfigError(`mesh_file ${path} does not exist`, {
      hint: "give a mesh file or a graph folder, or leave mesh_file out to have the mesh built",
    });
  }
  const mesh = statSync(path).isDirectory() ? readGraphFolder(path, shape, compat !== "none") : readMesh(path);
  if (mesh.gridShape.join() !== shape.join()) {
    throw new ConfigError(
      `the mesh is for a grid of ${mesh.gridShape.join("×")} points, the data have ${shape.join("×")}`,
      { where: path, hint: "leave mesh_file out to have a mesh built for this grid" },
    );
  }
  if (isHierarchical(mesh) !== hierarchical) {
    const [is, wanted] = hierarchical ? ["flat", "hierarchical"] : ["hierarchical", "flat"];
    throw new ConfigError(`the mesh is ${is}, and this network needs a ${wanted} one`, {
      where: path,
      hint: "graphlam takes flat meshes; hilam and hilamparallel take hierarchical ones",
    });
  }
  return mesh;
}

const isHierarchical = (mesh: Mesh): boolean => mesh.levels.length > 1;
