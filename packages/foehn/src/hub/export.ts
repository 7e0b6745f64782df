// A package's network as a file for other programs: ONNX or TorchScript, compared with the network before it gets its name. The file takes
// the network's input, normalised, features last; an ONNX file carries what one needs to fill it (channels, normalisation, grid).
// Not here: the translation itself, which is @foehn/torch's.

import { mkdir, rm, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import * as torch from "@foehn/torch";
import { ModelError } from "../core/errors.js";
import { temporaryPath, toStorageError } from "../core/files.js";
import { modelFeatures } from "../datasets/features.js";
import { moveToFinalName, refuseExisting } from "../io/final-name.js";
import type { Network, NetworkClass } from "../models/network.js";
import { networks } from "../models/registry.js";
import { namesWithStd } from "../training/output-std.js";
import { foehnVersion } from "../training/provenance.js";
import { createStrategy } from "../training/strategies/registry.js";
import type { ModelPackage } from "./model-package.js";

/** Options of both exports. */
export interface ExportOptions {
  /** Largest difference that is accepted, relative to the largest value of the output. Default 1e-4. */
  readonly tolerance?: number | undefined;
  /** Replace an existing file. Default false. */
  readonly overwrite?: boolean | undefined;
}

/** Options of `exportPackageOnnx`. */
export interface ExportOnnxOptions extends ExportOptions {
  /** Version of ONNX's operator set; default 17. */
  readonly opset?: number | undefined;
}

/** What `exportPackageOnnx` did. */
export interface OnnxExportResult extends torch.onnx.OnnxExport {
  /** What one sample of `input` is: (H, W, F), or (N, F) for a graph network. */
  readonly inputShape: readonly number[];
  readonly inputFeatures: readonly string[];
  readonly outputFeatures: readonly string[];
}

/** Sizes of the batches on which an exported file is compared with its network. */
const comparedBatches = [1, 2];

/**
 * Writes the network of a package as an ONNX file: input `input` (batch, H, W, F), output `output` (batch, H, W, Fout), batch open.
 * @throws ModelError when the network has no ONNX form, or the file gives other values than the network; UsageError when the file exists
 */
export async function exportPackageOnnx(
  pkg: ModelPackage,
  file: string,
  options: ExportOnnxOptions = {},
): Promise<OnnxExportResult> {
  const path = resolve(file);
  refuseUnsupported(pkg);
  await refuseExisting(path, { overwrite: options.overwrite === true, markers: [] });
  const description = await describe(pkg);
  const network = await pkg.network();
  try {
    await mkdir(dirname(path), { recursive: true });
    const made = await torch.onnx.exportOnnx(network, exampleInput(network), path, {
      batchSizes: comparedBatches,
      metadata: description.metadata,
      description: `${pkg.name}: ${pkg.manifest.architecture}, written by Foehn`,
      name: pkg.name,
      producer: { name: "foehn", version: foehnVersion() },
      ...(options.opset === undefined ? {} : { opset: options.opset }),
      ...(options.tolerance === undefined ? {} : { tolerance: options.tolerance }),
    });
    const { inputFeatures, outputFeatures } = description;
    return { ...made, inputShape: sampleShape(network), inputFeatures, outputFeatures };
  } catch (error) {
    throw readable(error, pkg, path);
  } finally {
    network.dispose();
  }
}

/** What `exportPackageTorchScript` did. */
export interface TorchScriptExportResult {
  readonly path: string;
  readonly bytes: number;
  readonly maxDifference: number;
  /** Divided by the largest value of the output. */
  readonly maxRelativeDifference: number;
  readonly batchSizes: readonly number[];
  readonly inputShape: readonly number[];
  readonly inputFeatures: readonly string[];
  readonly outputFeatures: readonly string[];
}

/**
 * Writes the network of a package as a TorchScript archive: forward(input: (batch, H, W, F)) → (batch, H, W, Fout), batch open. It is
 * loaded again and compared with the network on fresh inputs before it gets its name.
 * @throws ModelError when the network cannot be traced or the archive differs; UsageError when the file exists
 */
export async function exportPackageTorchScript(
  pkg: ModelPackage,
  file: string,
  options: ExportOptions = {},
): Promise<TorchScriptExportResult> {
  const path = resolve(file);
  const finalName = { overwrite: options.overwrite === true, markers: [] };
  await refuseExisting(path, finalName);
  const { inputFeatures, outputFeatures } = await describe(pkg);
  const network = await pkg.network();
  const temporary = temporaryPath(path);
  try {
    await mkdir(dirname(path), { recursive: true });
    using graph = torch.trace(network, exampleInput(network));
    torch.jit.save(graph, temporary);
    const difference = torch.scope(() => compareArchive(temporary, network));
    refuseDifference(difference, options.tolerance ?? 1e-4);
    await moveToFinalName(temporary, path, finalName);
    const { size } = await stat(path);
    return { path, bytes: size, ...difference, inputShape: sampleShape(network), inputFeatures, outputFeatures };
  } catch (error) {
    throw readable(error, pkg, path);
  } finally {
    await rm(temporary, { force: true });
    network.dispose();
  }
}

/** How far an archive is from its network, at most. */
function compareArchive(path: string, network: Network) {
  using script = torch.jit.load(path);
  let [maxDifference, maxRelativeDifference] = [0, 0];
  for (const batch of comparedBatches) {
    const x = torch.randn([batch, ...sampleShape(network)]);
    const [expected, actual] = torch.noGrad(() => [network.forward(x), script.forwardSync(x) as torch.Tensor]);
    const off = expected.sub(actual).abs().max().item();
    const largest = expected.abs().max().item();
    // Math.max keeps NaN, and NaN is no difference that a tolerance accepts.
    maxDifference = Math.max(maxDifference, off);
    maxRelativeDifference = Math.max(maxRelativeDifference, largest === 0 ? off : off / largest);
  }
  return { maxDifference, maxRelativeDifference, batchSizes: comparedBatches };
}

function refuseDifference(
  { maxRelativeDifference }: { readonly maxRelativeDifference: number },
  tolerance: number,
): void {
  if (maxRelativeDifference <= tolerance) return;
  throw new ModelError(
    `the archive gives other values than the network: they differ by up to ${maxRelativeDifference.toExponential(1)} of the largest value; the tolerance is ${tolerance.toExponential(1)}`,
    { hint: "no file was written; --tolerance accepts more" },
  );
}

function refuseUnsupported(pkg: ModelPackage): void {
  if (!networks.has(pkg.manifest.architecture)) return; // opening the network says which plugin it needs
  const { modelName, onnxSupported } = networks.get(pkg.manifest.architecture);
  if (onnxSupported) return;
  const able = networks.list().filter((network) => network.onnxSupported);
  throw new ModelError(`the network ${modelName} cannot be exported to ONNX`, {
    where: pkg.path,
    hint: `these can: ${able.map((network) => network.modelName).join(", ")}`,
  });
}

/** (H, W, F); a graph network takes the cells of the grid in one dimension, (N, F). */
function sampleShape(network: Network): number[] {
  const { modelType } = network.constructor as unknown as NetworkClass;
  const cells =
    modelType === "graph" ? [network.inputShape.reduce((product, n) => product * n, 1)] : network.inputShape;
  return [...cells, network.numInputFeatures];
}

/** Two samples: what a trace with an open batch needs. */
function exampleInput(network: Network): torch.Tensor {
  return torch.randn([2, ...sampleShape(network)]);
}

/** Features of the network's input in their order, and all texts that travel with the file. */
async function describe(pkg: ModelPackage) {
  const info = await pkg.info();
  const { manifest } = pkg;
  const features = modelFeatures(info);
  const strategy = createStrategy(pkg.strategy, pkg.strategySettings);
  const states = Array.from({ length: pkg.numInputSteps }, (_, i) => {
    const stepsBack = pkg.numInputSteps - 1 - i;
    return features.prognostic.map((name) => (stepsBack === 0 ? name : `${name}@-${stepsBack}`));
  }).flat();
  const parts = {
    states,
    statics: features.statics,
    forcing: features.forcing,
    mask: pkg.maskAsInput ? ["mask"] : [],
  };
  const inputFeatures = strategy.inputParts.flatMap((part) => parts[part]);
  const values = [...features.prognostic, ...features.diagnostic];
  const outputFeatures = pkg.outputStd ? namesWithStd(values) : values;
  const json = JSON.stringify;
  const metadata: Record<string, string> = {
    foehn_version: foehnVersion(),
    package: pkg.name,
    package_version: manifest.version,
    architecture: manifest.architecture,
    settings: json(manifest.settings),
    input_features: json(inputFeatures),
    output_features: json(outputFeatures),
    units: json(Object.fromEntries(info.features.map(({ name, units }) => [name, units]))),
    normalisation: json(manifest.normalisation ?? {}),
    strategy: pkg.strategy,
    strategy_settings: json(pkg.strategySettings),
    num_inter_steps: String(pkg.numInterSteps),
    ...(pkg.outputStd ? { output_std: "softplus" } : {}),
    time_step: manifest.time_step === undefined ? "" : String(manifest.time_step),
    grid: json(manifest.grid),
    ...(manifest.license === undefined ? {} : { license: manifest.license }),
  };
  return { inputFeatures, outputFeatures, metadata };
}

/** What the engine refused, as an error of this project that says what to do. */
function readable(error: unknown, pkg: ModelPackage, path: string): unknown {
  if (!(error instanceof torch.TorchError)) return toStorageError(error, path);
  const hints: Record<string, string> = {
    ERR_TORCH_ONNX_DIFFERS: "no file was written; --tolerance accepts more, another --opset may round otherwise",
    ERR_TORCH_ONNX: "an operator of the network has no translation yet; see docs/guides/export.md",
    ERR_TORCH_SCRIPT: "an operator of the network has no TorchScript form",
    ERR_TORCH_TRACE: "the forward of the network must consist of operators only; see docs/guides/export.md",
  };
  return new ModelError(error.message, { where: pkg.path, hint: hints[error.code], cause: error });
}
