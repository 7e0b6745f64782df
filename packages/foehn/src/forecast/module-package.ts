// A package whose model is a bare module: code that gives one, an ONNX file or a TorchScript archive. Its metadata.json says channels, grid, history
// and step; its tables of means and standard deviations are optional, and without them the model takes physical values.
// Not here: which of them a package is (model-plan.ts), and stepping (module-stepper.ts).

import * as torch from "@foehn/torch";
import { nn, type Tensor } from "@foehn/torch";
import { ModelError } from "../core/errors.js";
import { parseDuration } from "../core/time.js";
import type { Grid } from "../grid/grid.js";
import { gridFromJson } from "../grid/json.js";
import { setOf } from "../hub/channels.js";
import type { Manifest } from "../hub/manifest.js";
import type { ModelPackage } from "../hub/model-package.js";
import { Network } from "../models/network.js";
import { type PrecisionName, resolvePrecision } from "../training/precision.js";
import { readNumbers, requireStatistics } from "./auto-models/model-files.js";
import { type ChannelStatistics, type ModelFunction, ModuleStepper } from "./module-stepper.js";
import { openOnnxFile, plainOnnxFunction } from "./onnx-file.js";
import type { OpenLoop } from "./open-loop.js";
import type { SourceTerm } from "./source-term.js";
import { loopOf } from "./time-stepper.js";
import { type OpenFunction, torchScriptFunction } from "./torchscript-file.js";

/** Options of opening such a package. */
export interface ModulePackageOptions {
  readonly device: string;
  readonly precision?: PrecisionName | undefined;
  readonly source?: SourceTerm | undefined;
  readonly notes: readonly string[];
}

/** The parts of metadata.json that a stepper is made of. */
interface Described {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly grid: Grid;
  readonly levels: number;
  readonly timeStep: number;
  readonly historyTimeStep: number;
}

function described(manifest: Manifest): Described {
  const timeStep = parseDuration(manifest.time_step);
  return {
    inputs: manifest.in_channels_names,
    outputs: manifest.out_channels_names ?? manifest.in_channels_names,
    grid: gridFromJson(manifest.grid),
    levels: manifest.n_history + 1,
    timeStep,
    historyTimeStep: manifest.history_time_step === undefined ? timeStep : parseDuration(manifest.history_time_step),
  };
}

/** The model in an ONNX file. */
export async function openOnnxPackage(
  model: ModelPackage,
  file: string,
  options: ModulePackageOptions,
): Promise<OpenLoop> {
  return openedOrFreed(model, await openModelFile(model, "onnx", file, options.device), {
    ...options,
    precision: "fp32",
  });
}

/** The model in a TorchScript archive. */
export async function openTorchScriptPackage(
  model: ModelPackage,
  file: string,
  options: ModulePackageOptions,
): Promise<OpenLoop> {
  return openedOrFreed(model, await openModelFile(model, "torchscript", file, options.device), options);
}

/** The function of a model that is one file. @throws ModelError, FormatError for a file that is none, or takes other inputs */
export async function openModelFile(
  model: ModelPackage,
  kind: "onnx" | "torchscript",
  file: string,
  device: string,
): Promise<OpenFunction> {
  const { inputs, grid, levels, historyTimeStep } = described(model.manifest);
  const { source } = model;
  if (kind === "torchscript") {
    const config = (await source.has("config.json")) ? await source.resolve("config.json") : undefined;
    return torchScriptFunction({ path: await source.resolve(file), config, grid, historyTimeStep, device });
  }
  const session = await openOnnxFile(await source.resolve(file), { device });
  try {
    const forward = plainOnnxFunction(session, { inputs: inputs.length, nHistoryLevels: levels, shape: grid.shape });
    return { forward, notes: [], dispose: () => session.dispose() };
  } catch (error) {
    session.dispose();
    throw error;
  }
}

async function openedOrFreed(
  model: ModelPackage,
  open: OpenFunction,
  options: ModulePackageOptions,
): Promise<OpenLoop> {
  try {
    return await opened(model, open, options);
  } catch (error) {
    open.dispose();
    throw error;
  }
}

/** What an `architecture_entrypoint` gave. @throws ModelError when it can be called in no known way */
export async function openModulePackage(
  model: ModelPackage,
  given: unknown,
  options: ModulePackageOptions,
): Promise<OpenLoop> {
  return opened(model, functionOf(given, model, options.device), options);
}

async function opened(model: ModelPackage, open: OpenFunction, options: ModulePackageOptions): Promise<OpenLoop> {
  const { inputs, outputs, grid, levels, timeStep, historyTimeStep } = described(model.manifest);
  const statistics = await statisticsOf(model, inputs, outputs);
  return loopOf(
    new ModuleStepper({
      forward: open.forward,
      inChannelNames: inputs,
      outChannelNames: outputs,
      grid,
      nHistoryLevels: levels,
      historyTimeStep,
      timeStep,
      inputStatistics: statistics.inputs,
      outputStatistics: statistics.outputs,
      device: options.device,
      // Other people's code computes in float32 unless it is asked to do otherwise.
      precision: resolvePrecision(options.precision ?? "fp32", options.device),
      notes: [...options.notes, ...open.notes, ...statistics.notes],
      source: options.source,
      dispose: () => open.dispose(),
    }),
  );
}

type Forward = (x: Tensor, times?: readonly number[]) => Tensor | Promise<Tensor>;

/** A network of Foehn's takes its features last; modules and functions take channels first. Two parameters ask for the times. */
function functionOf(given: unknown, model: ModelPackage, device: string): OpenFunction {
  if (given instanceof nn.Module) {
    given.eval();
    given.to({ device });
    const dispose = () => given.dispose();
    if (given instanceof Network) {
      const forward: ModelFunction = (x) => torch.scope(() => featuresLast(given, x));
      return { forward, notes: [], dispose };
    }
    return { forward: timed(given.forward.bind(given) as Forward, given.forward.length), notes: [], dispose };
  }
  if (given instanceof torch.jit.ScriptModule) {
    given.eval().to({ device });
    const forward: ModelFunction = (x) => given.forwardSync(x) as Tensor;
    return { forward, notes: [], dispose: () => given.dispose() };
  }
  const callable = typeof given === "function" ? given : (given as { forward?: unknown } | null | undefined)?.forward;
  if (typeof callable === "function") {
    const bound = (typeof given === "function" ? callable : callable.bind(given)) as Forward;
    const owner = given as Partial<Disposable>;
    return {
      forward: timed(bound, callable.length),
      notes: [],
      dispose: () => owner[Symbol.dispose]?.(),
    };
  }
  throw new ModelError(
    `architecture_entrypoint of the package ${model.path} gave ${given === null ? "null" : `a ${typeof given}`}, not a module`,
    {
      hint: "return a Module of @foehn/torch, or a function (x, times) of normalised channels (batch, channels, lat, lon)",
    },
  );
}

const timed =
  (forward: Forward, parameters: number): ModelFunction =>
  (x, times) =>
    parameters >= 2 ? forward(x, times) : forward(x);

/** (B, C, Y, X) or (B, H, C, Y, X), through a network of (B, Y, X, H·C) → (B, Y, X, C'). */
function featuresLast(network: Network, x: Tensor): Tensor {
  const [ny, nx] = x.shape.slice(-2) as [number, number];
  return network.forward(x.reshape([x.size(0), -1, ny, nx]).permute([0, 2, 3, 1])).permute([0, 3, 1, 2]);
}

/** Of a bare model; undefined where it works on physical values. */
export interface ModuleStatistics {
  readonly inputs: ChannelStatistics | undefined;
  readonly outputs: ChannelStatistics | undefined;
  readonly notes: readonly string[];
}

const [meansFile, stdsFile] = ["global_means.npy", "global_stds.npy"];

/** Means and standard deviations: of metadata.json, or of the two tables, or none. @throws ModelError for tables that do not fit */
export async function statisticsOf(
  { manifest, source, path }: ModelPackage,
  inputs: readonly string[],
  outputs: readonly string[],
): Promise<ModuleStatistics> {
  const { normalisation } = manifest;
  if (normalisation) {
    const pick = (names: readonly string[]): ChannelStatistics => ({
      mean: names.map((name) => normalisation.means[name] ?? 0),
      std: names.map((name) => normalisation.stds[name] ?? 1),
    });
    return { inputs: pick(inputs), outputs: pick(outputs), notes: [] };
  }
  const [hasMeans, hasStds] = [await source.has(meansFile), await source.has(stdsFile)];
  if (!hasMeans && !hasStds) {
    const note = `the package has no ${meansFile} and no ${stdsFile}: its model takes and gives physical values`;
    return { inputs: undefined, outputs: undefined, notes: [note] };
  }
  if (!hasMeans || !hasStds) {
    const [there, missing] = hasMeans ? [meansFile, stdsFile] : [stdsFile, meansFile];
    throw new ModelError(
      `the package ${path} has ${there} but not ${missing}, and one is of no use without the other`,
      {
        hint: "add it, or take both away for a model of physical values",
      },
    );
  }
  const files = [await source.resolve(meansFile), await source.resolve(stdsFile)] as const;
  const [means, stds] = files.map(readNumbers) as [number[], number[]];
  if (means.length !== stds.length) {
    throw new ModelError(`${meansFile} has ${means.length} numbers, ${stdsFile} has ${stds.length}`, { where: path });
  }
  const of = (side: "in" | "out"): ChannelStatistics & { readonly notes: readonly string[] } => {
    const names = side === "in" ? inputs : outputs;
    const { at, notes } = positionsIn(means.length, names, { manifest, inputs, outputs, where: files[0] });
    const pick = (values: readonly number[], otherwise: number) =>
      at.map((p) => (p === undefined ? otherwise : values[p]!));
    const statistics = { mean: pick(means, 0), std: pick(stds, 1) };
    requireStatistics(statistics, names, files[1]);
    return { ...statistics, notes };
  };
  const [ofInputs, ofOutputs] = [of("in"), of("out")];
  return { inputs: ofInputs, outputs: ofOutputs, notes: [...new Set([...ofInputs.notes, ...ofOutputs.notes])] };
}

/** Where each channel is in tables of a length: those of the channels themselves, of the inputs, or of the whole channel set. */
function positionsIn(
  length: number,
  names: readonly string[],
  about: {
    readonly manifest: Manifest;
    readonly inputs: readonly string[];
    readonly outputs: readonly string[];
    readonly where: string;
  },
): { readonly at: readonly (number | undefined)[]; readonly notes: readonly string[] } {
  const { manifest, inputs, outputs, where } = about;
  const byPosition = manifest.in_channels !== undefined || manifest.channel_set !== undefined;
  const set = byPosition ? setOf(manifest) : undefined;
  const tables = [
    { of: "the inputs", names: inputs },
    { of: "the outputs", names: outputs },
    { of: "the whole channel set", names: set ?? [] },
  ];
  const table = tables.find((one) => one.names.length === length && names.some((name) => one.names.includes(name)));
  if (!table) {
    const wanted = tables.filter((one) => one.names.length > 0).map((one) => `${one.names.length} (${one.of})`);
    throw new ModelError(
      `the tables of statistics have ${length} numbers, expected ${[...new Set(wanted)].join(" or ")}`,
      {
        where,
        hint: "one number per channel, in the order of in_channels_names; or of the whole channel set, for channels by position",
      },
    );
  }
  const at = names.map((name) => {
    const position = table.names.indexOf(name);
    return position < 0 ? undefined : position;
  });
  const without = names.filter((_, i) => at[i] === undefined);
  return {
    at,
    notes:
      without.length === 0
        ? []
        : [`there are no statistics of ${without.join(", ")}: the model gives those in physical units`],
  };
}
