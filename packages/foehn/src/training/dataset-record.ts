// What a run remembers of its dataset, so that a package can be made, and a resume checked, without the data:
// dataset.json (features, grid, statistics, forcings) and dataset.safetensors (static fields, masks, climatology).

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import * as torch from "@foehn/torch";
import { ConfigError, FormatError } from "../core/errors.js";
import { atomicWrite } from "../core/files.js";
import type { DatasetInfo } from "../datasets/dataset.js";
import { gridFromJson, gridToJson } from "../grid/json.js";
import { checkSameFeatures } from "./same-features.js";

/** A dataset's description and the time-mean fields of its training period. */
export interface DatasetRecord {
  readonly info: DatasetInfo;
  /** By feature, physical units, (H, W). */
  readonly climatology: Record<string, Float32Array>;
}

const CLIMATOLOGY = "climatology.";

/** Writes both files into a folder. */
export async function writeDatasetRecord(directory: string, { info, climatology }: DatasetRecord): Promise<void> {
  const [ny, nx] = info.grid.shape;
  torch.scope(() => {
    const tensor = (values: Float32Array, ...rest: number[]) => torch.tensor(values, { shape: [ny, nx, ...rest] });
    const tensors = new Map([
      ["statics", tensor(info.statics.fields, info.statics.names.length)],
      ["border_mask", tensor(info.statics.borderMask)],
      ["interior_mask", tensor(info.statics.interiorMask)],
    ]);
    for (const [name, values] of Object.entries(climatology)) tensors.set(CLIMATOLOGY + name, tensor(values));
    torch.safetensors.save(join(directory, "dataset.safetensors"), tensors);
  });
  await atomicWrite(join(directory, "dataset.json"), `${JSON.stringify(describe(info), null, 1)}\n`);
}

/** Reads them back. @throws FormatError when they are damaged */
export async function readDatasetRecord(directory: string): Promise<DatasetRecord> {
  const path = join(directory, "dataset.json");
  try {
    const json = JSON.parse(await readFile(path, "utf8")) as ReturnType<typeof describe>;
    const { tensors } = torch.safetensors.load(join(directory, "dataset.safetensors"));
    const take = (name: string) => tensors.get(name)!.toTypedArray() as Float32Array;
    const climatology: Record<string, Float32Array> = {};
    for (const name of tensors.keys()) {
      if (name.startsWith(CLIMATOLOGY)) climatology[name.slice(CLIMATOLOGY.length)] = take(name);
    }
    const statics = {
      names: json.statics,
      fields: take("statics"),
      borderMask: take("border_mask"),
      interiorMask: take("interior_mask"),
    };
    for (const tensor of tensors.values()) tensor.dispose();
    return { info: { ...json, grid: gridFromJson(json.grid), statics } as DatasetInfo, climatology };
  } catch (error) {
    throw new FormatError(`cannot read the dataset's description: ${error instanceof Error ? error.message : error}`, {
      where: path,
      cause: error,
    });
  }
}

/** @throws ConfigError naming what differs when the data of a resume are not those of the run */
export function checkSameDataset(before: DatasetInfo, now: DatasetInfo): void {
  const hint = "resume with the same data and dataset config, or start a new run with --load-weights";
  checkSameFeatures(before, now, { what: "the dataset is not the one this run was trained on", hint });
  const [a, b] = [before, now].map((info) => JSON.parse(JSON.stringify(describe(info))) as ReturnType<typeof describe>);
  const changed = Object.keys(a!).filter((key) => {
    const name = key as keyof typeof a;
    return !isDeepStrictEqual(a![name], b![name]);
  });
  if (changed.length === 0) return;
  throw new ConfigError(`the dataset is not the one this run was trained on: ${changed.join(", ")} differ`, {
    hint,
  });
}

/** Everything of the description that is JSON. */
function describe(info: DatasetInfo) {
  const { grid, statics, ...rest } = info;
  return { ...rest, grid: gridToJson(grid), statics: statics.names };
}
