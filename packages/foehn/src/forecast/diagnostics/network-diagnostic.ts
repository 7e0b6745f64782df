// A network as a diagnostic: fields in, other fields of the same time out, such as precipitation from the AFNO of FourCastNet. From a
// function on tensors, or from a package whose metadata.json has the key `diagnostic`. Not here: networks that step through time.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { ConfigError, ModelError } from "../../core/errors.js";
import { computeForcings } from "../../datasets/forcings.js";
import { describeGrid, type Grid, sameGrid } from "../../grid/grid.js";
import type { ModelPackage } from "../../hub/model-package.js";
import { type PrecisionName, resolvePrecision, withPrecision } from "../../training/precision.js";
import { lookupVariable } from "../../variables/catalogue.js";
import { planModel } from "../model-plan.js";
import { openModelFile, statisticsOf } from "../module-package.js";
import type { ChannelStatistics } from "../module-stepper.js";
import type { OutputVariable } from "../outputs/output.js";
import { distinctTimes, toRows } from "../rows.js";
import type { Diagnostic, DiagnosticInput } from "./diagnostic.js";

/** What a network diagnostic is made of. */
export interface NetworkDiagnosticParts {
  readonly description: string;
  readonly inChannels: readonly DiagnosticInput[];
  readonly outChannels: readonly OutputVariable[];
  /** Normalised (B, inChannels, Y, X) in, normalised (B, outChannels, Y, X) out. */
  readonly forward: (x: Tensor, times: readonly number[]) => Tensor | Promise<Tensor>;
  /** By channel; without them physical values go in, or come out. */
  readonly inStats?: { readonly means: readonly number[]; readonly stds: readonly number[] } | undefined;
  readonly outStats?: { readonly means: readonly number[]; readonly stds: readonly number[] } | undefined;
  /** ε of outputs that are log(1 + y / ε): y = ε (exp(output) − 1). */
  readonly logEpsilon?: number | undefined;
  readonly dispose?: (() => void) | undefined;
}

/** A diagnostic around a network's forward. */
export function networkDiagnostic(parts: NetworkDiagnosticParts): Diagnostic {
  const { description, inChannels, outChannels, forward, inStats, outStats, logEpsilon } = parts;
  const perChannel = (values: readonly number[], { device }: Tensor) =>
    torch.tensor([...values], { device }).reshape([-1, 1, 1]);
  return {
    description,
    inChannels,
    outChannels,
    async apply(x, times) {
      const normalised = torch.inferenceMode(() =>
        torch.scope(() => (inStats ? x.sub(perChannel(inStats.means, x)).div(perChannel(inStats.stds, x)) : x.clone())),
      );
      let raw: Tensor | undefined;
      try {
        raw = await forward(normalised, times);
        const given = raw;
        return torch.inferenceMode(() =>
          torch.scope(() => {
            let fields = given.to("float32");
            if (outStats) fields = fields.mul(perChannel(outStats.stds, x)).add(perChannel(outStats.means, x));
            if (logEpsilon !== undefined) fields = fields.expm1().mul(logEpsilon);
            return fields.clone();
          }),
        );
      } finally {
        if (raw !== normalised) raw?.dispose();
        normalised.dispose();
      }
    },
    [Symbol.dispose]: () => parts.dispose?.(),
  };
}

/** Options of `packageDiagnostic`. */
export interface PackageDiagnosticOptions {
  readonly device?: string | undefined;
  readonly precision?: PrecisionName | undefined;
  /** The grid of the fields that it will get. */
  readonly grid: Grid;
}

/**
 * A package's network as a diagnostic: it sees the normalised inputs, the static features and the computed forcings of the valid time.
 * @throws ConfigError for a package that is no diagnostic, or is on another grid; as `ModelPackage.network`
 */
export async function packageDiagnostic(pkg: ModelPackage, options: PackageDiagnosticOptions): Promise<Diagnostic> {
  const { manifest } = pkg;
  const { device = "cpu", grid } = options;
  if (!manifest.diagnostic) {
    throw new ConfigError(`the package ${pkg.path} steps through time; it is no diagnostic`, {
      hint: 'a diagnostic network has the key "diagnostic": {} in its metadata.json',
    });
  }
  const info = await pkg.info();
  if (!sameGrid(info.grid, grid)) {
    throw new ConfigError(`the diagnostic ${pkg.name} is on another grid than the model`, {
      where: `diagnostic: ${describeGrid(info.grid)}\n       model: ${describeGrid(grid)}`,
    });
  }
  if (info.forcing.variables.length > 0) {
    throw new ModelError(`the diagnostic ${pkg.name} reads forcings (${info.forcing.variables.join(", ")})`, {
      hint: "name them under in_channels_names: a diagnostic takes fields of the forecast",
    });
  }
  const parts = {
    description: `${info.features.map((feature) => feature.name).join(", ")} of ${pkg.name}`,
    inChannels: manifest.in_channels_names.map((name) => ({ name, units: lookupVariable(name)?.units })),
    outChannels: info.features.map(({ name, units, longName }) => ({
      ...{ name, units, longName },
      standardName: lookupVariable(name)?.standardName,
    })),
    logEpsilon: manifest.diagnostic.log_epsilon,
  };
  const { way } = await planModel(pkg.source);
  if (way.kind === "onnx" || way.kind === "torchscript") return fileDiagnostic(pkg, way, device, parts);
  const network = await pkg.network({ device });
  if ((network.constructor as { readonly modelType?: string }).modelType === "graph") {
    throw new ModelError(`the diagnostic ${pkg.name} is a graph network; only networks on the grid are diagnostics`);
  }
  const precision = resolvePrecision(options.precision ?? "auto", device);
  const [ny, nx] = grid.shape;
  const statics = torch.keep(
    torch.fromTypedArray(info.statics.fields, [1, ny, nx, info.statics.names.length]).to(device),
  );
  const forward = (x: Tensor, times: readonly number[]): Tensor => {
    const distinct = distinctTimes(times);
    const width = info.forcingNames.length;
    return torch.inferenceMode(() =>
      torch.scope(() => {
        const fields = distinct.times.map((time) =>
          torch.fromTypedArray(computeForcings(info.forcing, grid, time), [1, ny, nx, width]),
        );
        const forcing = toRows(torch.cat(fields).to(device), distinct);
        const features = [x.permute([0, 2, 3, 1]), statics.expand([x.size(0), ...statics.shape.slice(1)]), forcing];
        const input = torch.cat(features, { dim: -1 }).contiguous();
        return withPrecision(precision, device, () => network.forward(input)).permute([0, 3, 1, 2]);
      }),
    );
  };
  const statistic = (names: readonly string[], key: "means" | "stds") =>
    names.map((name) => manifest.normalisation?.[key][name] ?? Number(key === "stds"));
  const statsOf = (names: readonly string[]) => ({
    means: statistic(names, "means"),
    stds: statistic(names, "stds"),
  });
  return networkDiagnostic({
    ...parts,
    forward,
    inStats: statsOf(manifest.in_channels_names),
    outStats: statsOf(info.features.map((feature) => feature.name)),
    dispose: () => {
      statics.dispose();
      for (const tensor of network.stateDict().values()) tensor.dispose();
    },
  });
}

/** An ONNX or TorchScript file: channels first, normalised as metadata.json or the package's tables say. */
async function fileDiagnostic(
  pkg: ModelPackage,
  { kind, file }: { readonly kind: "onnx" | "torchscript"; readonly file: string },
  device: string,
  parts: Pick<NetworkDiagnosticParts, "description" | "inChannels" | "outChannels" | "logEpsilon">,
): Promise<Diagnostic> {
  const names = (channels: readonly { readonly name: string }[]) => channels.map(({ name }) => name);
  const [inputs, outputs] = [names(parts.inChannels), names(parts.outChannels)];
  // Tables beside the model are of its inputs; what else comes out has statistics only where metadata.json gives them.
  const hasOutputs = pkg.manifest.normalisation !== undefined;
  const statistics = await statisticsOf(pkg, inputs, hasOutputs ? outputs : inputs);
  const { forward, dispose } = await openModelFile(pkg, kind, file, device);
  const stats = (of: ChannelStatistics | undefined) => of && { means: of.mean, stds: of.std };
  return networkDiagnostic({
    ...parts,
    // A diagnostic knows one time: its own.
    forward: (x, times) => forward(x, times, times),
    inStats: stats(statistics.inputs),
    outStats: hasOutputs ? stats(statistics.outputs) : undefined,
    dispose,
  });
}
