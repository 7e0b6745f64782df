// DLWP: a network on a cubed sphere behind latitudes and longitudes. Files are those of NVIDIA's package (`dlwp_cubesphere.zip`, or the same
// plain): sparse maps with `row`, `col` (from 1) and `S`, coordinates of the cells, land-sea mask, orography, means and standard deviations, and the
// network (`dlwp.mdlus`, a state dict, safetensors, or TorchScript). Sources: the loaders of earth2mip and Earth2Studio; Weyn et al. 2021.
// Not here: the network (models/published/dlwp.ts) and how its steps become a forecast (dlwp-stepper.ts).

import { basename } from "node:path";
import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { ModelError } from "../../core/errors.js";
import { gridFromJson } from "../../grid/json.js";
import type { PackageFiles } from "../../hub/package-files.js";
import { openNetcdf } from "../../io/netcdf/read.js";
import { unpackFloat64 } from "../../io/netcdf/unpack.js";
import { readRegridMap } from "../../io/regrid-map.js";
import { DlwpNetwork } from "../../models/published/dlwp.js";
import { resolvePrecision } from "../../training/precision.js";
import { channelSet } from "../../variables/channel-sets.js";
import type { OpenLoop } from "../open-loop.js";
import { loopOf } from "../time-stepper.js";
import { DlwpStepper } from "./dlwp-stepper.js";
import { readCheckpoint } from "./mdlus.js";
import { gridOfSize, type ModelFiles, modelFiles, readStatistics } from "./model-files.js";
import { knownKwargs, type LoadModelOptions } from "./model-loader.js";
import { sparseMap } from "./sparse-map.js";

const networkFiles = ["dlwp.mdlus", "dlwp.safetensors", "weights.tar", "scripted_model.pt"];
const orographyMean = 3.724e3;
const orographyStd = 8.349e3;

/** Loads DLWP. @throws ModelError when a file is missing or the sizes do not go together */
export async function loadDlwp(files: PackageFiles, options: LoadModelOptions): Promise<OpenLoop> {
  knownKwargs(options, "DLWP", []);
  const { device = "cpu", description } = options;
  const found = modelFiles(files, "dlwp_cubesphere.zip/dlwp", "dlwp_cubesphere.zip");
  const channels = channelSet("dlwp");
  const [latitudes, longitudes] = [
    await field(found, "latlon_grid_field_rs_cs.nc", "latgrid"),
    await field(found, "latlon_grid_field_rs_cs.nc", "longrid"),
  ];
  const cells = latitudes.length;
  const side = Math.round(Math.sqrt(cells / 6));
  if (6 * side * side !== cells || longitudes.length !== cells) {
    throw new ModelError(
      `the cubed sphere has ${cells} latitudes and ${longitudes.length} longitudes: not six squares`,
    );
  }
  const [landSea, height] = [
    await field(found, "land_sea_mask_rs_cs.nc", "lsm", cells),
    await field(found, "geopotential_rs_cs.nc", "z", cells),
  ];
  const intoPath = await found.need("map_LL721x1440_CS64.nc", "map_ll_cs.nc");
  const outOfPath = await found.need("map_CS64_LL721x1440.nc", "map_cs_ll.nc");
  const [into, outOf] = [await readRegridMap(intoPath), await readRegridMap(outOfPath)];
  const shape = gridShapeFor(description?.grid, outOf.targetShape, outOfPath);
  const points = shape[0] * shape[1];
  const grid = gridOfSize(shape, description, intoPath);
  const statistics = readStatistics(
    await found.need("global_means.npy"),
    await found.need("global_stds.npy"),
    channels,
  );
  const network = await openNetwork(found, device, options.signal);
  try {
    return loopOf(
      new DlwpStepper({
        network,
        into: sparseMap(into.weights, { outputs: cells, inputs: points, device }, intoPath),
        outOf: sparseMap(outOf.weights, { outputs: points, inputs: cells, device }, outOfPath),
        side,
        latitudes,
        longitudes,
        statics: [landSea, height.map((z) => (z - orographyMean) / orographyStd)],
        statistics,
        channels,
        grid,
        device,
        precision: resolvePrecision(options.precision ?? "auto", device),
      }),
    );
  } catch (error) {
    network.dispose();
    throw error;
  }
}

/** A variable of one of the NetCDF files, all of it. */
async function field(files: ModelFiles, name: string, variable: string, size?: number): Promise<Float64Array> {
  const path = await files.need(name);
  using file = await openNetcdf(path);
  const found = file.variables.find((item) => item.name === variable);
  if (!found) {
    throw new ModelError(`there is no ${variable} in the file`, {
      where: path,
      hint: `it has ${file.variables.map((item) => item.name).join(", ")}`,
    });
  }
  const values = unpackFloat64(found, found.read());
  if (size === undefined || values.length === size) return values;
  throw new ModelError(`${variable} has ${values.length} values for ${size} cells`, { where: path });
}

/** What forward passes go through: (B, 18, 6, n, n) → (B, 14, 6, n, n). */
export interface CubedSphereNetwork {
  forward(x: Tensor): Tensor;
  dispose(): void;
}

async function openNetwork(files: ModelFiles, device: string, signal?: AbortSignal): Promise<CubedSphereNetwork> {
  const path = await files.need(...networkFiles);
  if (path.endsWith("scripted_model.pt")) {
    const script = torch.jit.load(path, { device }).eval();
    return { forward: (x) => script.forwardSync(x) as Tensor, dispose: () => script.dispose() };
  }
  const { tensors, args } = await readCheckpoint(path, signal);
  try {
    const weight = (name: string): readonly number[] => {
      const tensor = tensors.get(name);
      if (tensor) return tensor.shape;
      throw new ModelError(`the checkpoint has no ${name}: it is not of DLWP`, { where: path });
    };
    const [features, inputs] = weight("equatorial_downsample.0.weight") as [number, number];
    const [outputs] = weight("equatorial_last.weight") as [number];
    const layers = [...tensors.keys()].filter((key) => /^equatorial_downsample\.\d+\.weight$/.test(key)).length;
    const clamp = args.clamp_activation as readonly [number | null, number | null] | undefined;
    const activation = args.activation_fn ?? "leaky_relu";
    if (activation !== "leaky_relu") {
      throw new ModelError(`the network has the activation ${String(activation)}; DLWP's leaky_relu is what is known`, {
        where: path,
      });
    }
    const network = new DlwpNetwork({ inputs, outputs, features, depth: layers / 2, ...(clamp ? { clamp } : {}) });
    network.loadStateDict(tensors);
    network.eval();
    network.to({ device });
    return network;
  } finally {
    for (const tensor of tensors.values()) tensor.dispose();
  }
}

/** By metadata.json, the map's own description of its target, or its name. */
function gridShapeFor(
  grid: unknown,
  target: readonly number[] | undefined,
  path: string,
): readonly [ny: number, nx: number] {
  if (grid !== undefined) return gridFromJson(grid).shape;
  if (target?.length === 2) return [target[0]!, target[1]!];
  const named = /LL(\d+)x(\d+)/.exec(basename(path));
  return named ? [Number(named[1]), Number(named[2])] : [721, 1440];
}
