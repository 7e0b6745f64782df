// FourCastNet: an AFNO with the means and standard deviations of its channels. Checkpoints of NVIDIA (`fcn.mdlus`, plain or in `fcn.zip`) and
// of the first publication (`backbone.ckpt`), or the same as safetensors; the network's sizes are read off its weights. Sources: NVlabs/FourCastNet,
// NVIDIA/physicsnemo (models/afno), the loaders of earth2mip and Earth2Studio. Pathak et al. 2022, arXiv:2202.11214.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { ModelError } from "../../core/errors.js";
import { gridFromJson } from "../../grid/json.js";
import type { PackageFiles } from "../../hub/package-files.js";
import type { Network } from "../../models/network.js";
import { createNetwork } from "../../models/registry.js";
import { resolvePrecision } from "../../training/precision.js";
import { channelSet } from "../../variables/channel-sets.js";
import { ModuleStepper } from "../module-stepper.js";
import type { OpenLoop } from "../open-loop.js";
import { loopOf } from "../time-stepper.js";
import { type NetworkCheckpoint, readCheckpoint } from "./mdlus.js";
import { globalGrid, modelFiles, readNumbers, requireStatistics } from "./model-files.js";
import { knownKwargs, type LoadModelOptions } from "./model-loader.js";

const weights = ["fcn.mdlus", "backbone.ckpt", "fcn.safetensors", "weights.tar"];

/** Loads FourCastNet. @throws ModelError when a file is missing or the sizes do not go together */
export async function loadFcn(files: PackageFiles, options: LoadModelOptions): Promise<OpenLoop> {
  knownKwargs(options, "FourCastNet", []);
  const { device = "cpu", description } = options;
  const found = modelFiles(files, "fcn.zip/fcn", "fcn.zip");
  const checkpoint = await readCheckpoint(await found.need(...weights), options.signal);
  try {
    const sizes = sizesOf(checkpoint, description?.grid);
    const channels = channelsOf(sizes.channels, description?.inChannelNames, checkpoint.path);
    const grid = description?.grid === undefined ? globalGrid(...sizes.shape) : gridFromJson(description.grid);
    const [meansFile, stdsFile] = [await found.need("global_means.npy"), await found.need("global_stds.npy")];
    // The tables of the first publication have one more channel, precipitation, at their end.
    const table = (file: string) => {
      const values = readNumbers(file);
      if (values.length >= channels.length) return values.slice(0, channels.length);
      throw new ModelError(`the table has ${values.length} numbers for ${channels.length} channels`, { where: file });
    };
    const statistics = { mean: table(meansFile), std: table(stdsFile) };
    requireStatistics(statistics, channels, stdsFile);
    const network = createNetwork("afno", channels.length, channels.length, sizes.settings, sizes.shape);
    loadWeights(network, checkpoint);
    network.eval();
    network.to({ device });
    return loopOf(
      new ModuleStepper({
        forward: featuresLast(network),
        inChannelNames: channels,
        grid,
        timeStep: description?.timeStep ?? 6 * 3600,
        inputStatistics: statistics,
        outputStatistics: statistics,
        device,
        precision: resolvePrecision(options.precision ?? "auto", device),
        dispose: () => network.dispose(),
      }),
    );
  } finally {
    for (const tensor of checkpoint.tensors.values()) tensor.dispose();
  }
}

/** A network of Foehn's, (B, H, W, F), as a function of (B, C, Y, X). */
export function featuresLast(network: Pick<Network, "forward">): (x: Tensor) => Tensor {
  return (x) => torch.scope(() => network.forward(x.permute([0, 2, 3, 1])).permute([0, 3, 1, 2]));
}

interface Sizes {
  readonly channels: number;
  readonly shape: readonly [ny: number, nx: number];
  readonly settings: Readonly<Record<string, unknown>>;
}

/** What the weights say of the network; the few things that they do not say come from `args`, or are the published ones. */
function sizesOf({ tensors, args, path }: NetworkCheckpoint, grid: unknown): Sizes {
  const need = (name: string): readonly number[] => {
    const tensor = tensors.get(name);
    if (tensor) return tensor.shape;
    throw new ModelError(`the checkpoint has no ${name}: it is not of an AFNO`, {
      where: path,
      hint: `it has ${[...tensors.keys()].slice(0, 6).join(", ")}`,
    });
  };
  const [embedding, channels, patch] = need("patch_embed.proj.weight") as [number, number, number];
  const [, tokens] = need("pos_embed") as [number, number];
  const [, numBlocks] = need("blocks.0.filter.w1") as [number, number];
  const [hidden] = need("blocks.0.mlp.fc1.weight") as [number];
  const depth = new Set([...tensors.keys()].map((key) => /^blocks\.(\d+)\./.exec(key)?.[1])).size - 1;
  const given = Array.isArray(args.inp_shape) ? (args.inp_shape as [number, number]) : undefined;
  const shape = given ?? gridFromJson(grid ?? "720x1440").shape;
  const [rows, columns] = [shape[0] / patch, shape[1] / patch];
  if (rows * columns !== tokens) {
    throw new ModelError(
      `the network has ${tokens} patches of ${patch}×${patch} cells, a grid of ${shape.join("×")} has ${rows * columns}`,
      { where: path, hint: 'say the grid of the network under "grid" in metadata.json' },
    );
  }
  const number = (key: string) => (typeof args[key] === "number" ? { [key]: args[key] } : {});
  return {
    channels,
    shape,
    settings: {
      patch_size: patch,
      embed_dim: embedding,
      depth,
      num_blocks: numBlocks,
      mlp_ratio: hidden / embedding,
      ...number("sparsity_threshold"),
      ...number("hard_thresholding_fraction"),
    },
  };
}

/** 26 channels are earth2mip's fcn, 20 those of the first publication, which are the same without the last six. */
function channelsOf(count: number, named: readonly string[] | undefined, path: string): readonly string[] {
  const published = channelSet("var26");
  const names = named && named.length > 0 ? named : count === 26 || count === 20 ? published.slice(0, count) : [];
  if (names.length === count) return names;
  throw new ModelError(`the network has ${count} channels, and ${names.length} are named`, {
    where: path,
    hint: "name them in their order under in_channels_names in metadata.json",
  });
}

function loadWeights(network: Network, { tensors, path }: NetworkCheckpoint): void {
  // PhysicsNeMo's AFNO lacks the last normalisation, which nothing uses.
  const own = network.stateDict();
  const unused = [...own].filter(([name]) => name.startsWith("norm.") && !tensors.has(name));
  try {
    network.loadStateDict(new Map([...tensors, ...unused]));
  } catch (cause) {
    throw new ModelError(`the weights do not fit an AFNO: ${cause instanceof Error ? cause.message : cause}`, {
      where: path,
      cause,
    });
  }
}
