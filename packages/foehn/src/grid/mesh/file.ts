// Mesh files: one safetensors file with int32 indices and float32 features, named as in the graph folders of neural-lam
// (`g2m.senders`, `m2m.0.features`, `mesh_up.0.receivers` …). Its metadata say what it is and for which grid.

import * as torch from "@foehn/torch";
import { FormatError } from "../../core/errors.js";
import { toStorageError } from "../../core/files.js";
import { type EdgeSet, type Mesh, type MeshLevel, namedEdgeSets } from "./mesh.js";
import { meshProblems } from "./validate.js";

const FORMAT = "foehn-mesh";
const VERSION = "1";

/** Writes a mesh; the file appears under its name when it is complete. @throws StorageError */
export function writeMesh(path: string, mesh: Mesh): void {
  torch.scope(() => {
    const tensors = new Map<string, torch.Tensor>();
    const sizes: Record<string, string> = {};
    for (const [name, edges] of namedEdgeSets(mesh)) {
      const count = edges.receivers.length;
      tensors.set(`${name}.senders`, torch.tensor(edges.senders));
      tensors.set(`${name}.receivers`, torch.tensor(edges.receivers));
      tensors.set(
        `${name}.features`,
        torch.tensor(edges.features, { shape: [count, columnsOf(edges.features, count)] }),
      );
      sizes[`${name}.nodes`] = `${edges.numSenders},${edges.numReceivers}`;
    }
    for (const [level, { numNodes, features }] of mesh.levels.entries()) {
      const shape = [numNodes, columnsOf(features, numNodes)];
      tensors.set(`mesh.${level}.features`, torch.tensor(features, { shape }));
    }
    const metadata = {
      format: FORMAT,
      version: VERSION,
      grid_shape: mesh.gridShape.join(","),
      levels: String(mesh.levels.length),
      longest_edge: String(mesh.longestEdge),
      ...sizes,
    };
    try {
      torch.safetensors.save(path, tensors, { metadata });
    } catch (err) {
      throw toStorageError(err, path);
    }
  });
}

/**
 * Reads and checks a mesh file.
 * @throws FormatError when it is no mesh file, damaged or inconsistent; StorageError when it cannot be read
 */
export function readMesh(path: string): Mesh {
  const mesh = torch.scope(() => {
    let contents: torch.safetensors.SafetensorsContents;
    try {
      contents = torch.safetensors.load(path);
    } catch (err) {
      if (err instanceof torch.TensorFileError) throw new FormatError(err.message, { cause: err });
      throw toStorageError(err, path);
    }
    return meshOf(contents, path);
  });
  const [problem] = meshProblems(mesh);
  if (problem !== undefined) throw new FormatError(`${path}: ${problem}`);
  return mesh;
}

function meshOf({ tensors, metadata }: torch.safetensors.SafetensorsContents, path: string): Mesh {
  if (metadata.format !== FORMAT || metadata.version !== VERSION) {
    throw new FormatError(`${path} is not a mesh file of version ${VERSION}`, {
      hint: `its metadata say format ${metadata.format ?? "(none)"}, version ${metadata.version ?? "(none)"}`,
    });
  }
  const values = <T extends Int32Array | Float32Array>(name: string, kind: new () => T): T => {
    const array = tensors.get(name)?.toTypedArray({ copy: true });
    if (array instanceof kind) return array;
    throw new FormatError(`${path}: ${array === undefined ? "there is no" : "wrong type of"} tensor "${name}"`);
  };
  const numbers = (key: string): [number, number] => {
    const pair = (metadata[key] ?? "").split(",").map(Number);
    if (pair.length === 2 && pair.every((n) => Number.isSafeInteger(n) && n > 0)) return pair as [number, number];
    throw new FormatError(`${path}: metadata "${key}" is "${metadata[key] ?? ""}", expected two sizes`);
  };
  const edges = (name: string): EdgeSet => {
    const [numSenders, numReceivers] = numbers(`${name}.nodes`);
    return {
      numSenders,
      numReceivers,
      senders: values(`${name}.senders`, Int32Array),
      receivers: values(`${name}.receivers`, Int32Array),
      features: values(`${name}.features`, Float32Array),
    };
  };
  const level = (index: number): MeshLevel => ({
    numNodes: tensors.get(`mesh.${index}.features`)?.size(0) ?? 0,
    features: values(`mesh.${index}.features`, Float32Array),
  });
  const count = Number(metadata.levels);
  if (!Number.isSafeInteger(count) || count < 1 || count > 64) {
    throw new FormatError(`${path}: metadata "levels" is "${metadata.levels ?? ""}"`);
  }
  const list = <T>(length: number, make: (index: number) => T): T[] => Array.from({ length }, (_, i) => make(i));
  return {
    gridShape: numbers("grid_shape"),
    levels: list(count, level),
    same: list(count, (i) => edges(`m2m.${i}`)),
    up: list(count - 1, (i) => edges(`mesh_up.${i}`)),
    down: list(count - 1, (i) => edges(`mesh_down.${i}`)),
    gridToMesh: edges("g2m"),
    meshToGrid: edges("m2g"),
    longestEdge: Number(metadata.longest_edge),
  };
}

const columnsOf = (features: Float32Array, rows: number): number => (rows === 0 ? 0 : features.length / rows);
