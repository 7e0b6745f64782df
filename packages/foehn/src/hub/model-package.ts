// A package as a model: what its metadata.json describes, opened lazily, each file brought here and checked before its first use;
// nothing in a package that is opened here is executed. Not here: where the files come from (package.ts); writing one (write-package.ts).

import { readdir, readFile, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import * as torch from "@foehn/torch";
import { z } from "zod";
import { validateSettings } from "../core/config.js";
import { ModelError, UsageError } from "../core/errors.js";
import { didYouMean } from "../core/suggest.js";
import type { DatasetInfo } from "../datasets/dataset.js";
import { modelFeatures } from "../datasets/features.js";
import type { Network } from "../models/network.js";
import { createNetwork, networks } from "../models/registry.js";
import { howToGet, loadPluginsFor } from "../training/plugins.js";
import { numInputFeatures, numOutputFeatures } from "../training/step.js";
import { createStrategy, strategies } from "../training/strategies/registry.js";
import type { StrategySettings } from "../training/strategies/strategy.js";
import { infoOf, staticsOf, strategySettingsOf } from "./contents.js";
import { damaged } from "./local-folder.js";
import { type Manifest, manifestName, manifestSchema, readManifest } from "./manifest.js";
import { withPackedMesh } from "./mesh-file.js";
import { Package, type PackageOptions } from "./package.js";

/** An open package. It holds no file handles. */
export interface ModelPackage {
  /** Absolute path of the folder; of a package elsewhere its address. */
  readonly path: string;
  /** The files. */
  readonly source: Package;
  readonly name: string;
  readonly manifest: Manifest;
  readonly strategy: string;
  readonly strategySettings: StrategySettings;
  readonly numInputSteps: number;
  readonly numInterSteps: number;
  /** True when the network is told which values exist. */
  readonly maskAsInput: boolean;
  /** True when the network gives a standard deviation beside each feature. */
  readonly outputStd: boolean;
  /** The checked path of a file of the package. @throws ModelError when it is missing, altered, or not listed */
  file(path: string): Promise<string>;
  /** Checks every file now. @throws ModelError naming the first that is wrong */
  verify(): Promise<void>;
  /** Features, grid, statistics, static fields: what the network was trained on. */
  info(): Promise<DatasetInfo>;
  /** The network with its weights, in evaluation mode. The caller owns it. */
  network(options?: { readonly device?: string }): Promise<Network>;
  /** By feature: time-mean fields of the training period in physical units; empty when the package has none. */
  climatology(): Promise<Record<string, Float32Array>>;
}

/** Options of `openPackage`. */
export interface OpenPackageOptions extends PackageOptions {
  /** Instead of the package's metadata.json: the same keys. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Finds and opens a package. Reads metadata.json and, of a local package, looks at the list of files; contents are checked, and of a
 * package elsewhere brought here, when they are used.
 * @param text what `hub/uri.ts` understands: a folder, a name in the registry, https://, s3://, hf://, ngc:// …
 * @throws UsageError when there is no package; ConfigError for a wrong metadata.json; ModelError for files that are
 * missing, have another size, or are not listed; NetworkError
 */
export async function openPackage(text: string | Package, options: OpenPackageOptions = {}): Promise<ModelPackage> {
  const source = typeof text === "string" ? new Package(text, options) : text;
  const { address } = source;
  const isFolder = address.kind === "folder" && address.path === "";
  const path = isFolder ? address.folder : source.uri;
  const manifest = await manifestOf(source, path, options.metadata);
  const files = manifest.files ?? {};
  if (isFolder && manifest.files) await checkFileList(path, files);
  const name = manifest.name ?? source.name;

  const file = async (wanted: string): Promise<string> => {
    if (Object.hasOwn(files, wanted)) return source.resolve(wanted);
    throw new ModelError(`the package ${path} lists no file "${wanted}"`, {
      hint: didYouMean(wanted, Object.keys(files)),
    });
  };

  const info = async (): Promise<DatasetInfo> => {
    const rest = infoOf(manifest, name);
    const [ny, nx] = rest.grid.shape;
    const { statics } = manifest;
    if (!statics) return { ...rest, statics: staticsOf(rest.grid, rest.borderSize, [], new Float32Array(0)) };
    const fields = readFields(await file(statics.file), { statics: [ny, nx, statics.names.length] });
    return { ...rest, statics: staticsOf(rest.grid, rest.borderSize, statics.names, fields.statics!) };
  };

  return {
    path,
    source,
    name,
    manifest,
    strategy: manifest.strategy,
    strategySettings: strategySettingsOf(manifest),
    numInputSteps: manifest.n_history + 1,
    numInterSteps: manifest.num_inter_steps,
    maskAsInput: manifest.mask_as_input,
    outputStd: manifest.output_std,
    file,
    async verify() {
      for (const listed of Object.keys(files)) await file(listed);
    },
    info,
    async network({ device = "cpu" } = {}) {
      refuseCode(path, manifest);
      if (!networks.has(manifest.architecture))
        refuseWithoutPlugin(path, "network", manifest.architecture, manifest.plugins);
      const described = await info();
      const features = modelFeatures(described);
      const inputs = manifest.diagnostic
        ? manifest.in_channels_names.length + features.statics.length + features.forcing.length
        : numInputFeatures({
            strategy: createStrategy(manifest.strategy, strategySettingsOf(manifest)),
            features,
            numInputSteps: manifest.n_history + 1,
            hasMask: manifest.mask_as_input,
          });
      const { architecture } = manifest;
      const settings = await withPackedMesh(manifest.settings, file);
      const outputs = numOutputFeatures(features, manifest.output_std);
      const network = createNetwork(architecture, inputs, outputs, settings, described.grid.shape);
      await loadWeights(network, manifest, path, file);
      network.eval();
      network.to({ device });
      return network;
    },
    async climatology() {
      if (!manifest.climatology) return {};
      const { grid, features } = await info();
      const shapes = Object.fromEntries(features.map((feature) => [feature.name, [...grid.shape]]));
      return readFields(await file(manifest.climatology.file), shapes);
    },
  };
}

/** What is given instead of metadata.json, or what the file says. */
async function manifestOf(source: Package, path: string, given: OpenPackageOptions["metadata"]): Promise<Manifest> {
  if (given !== undefined) {
    await loadPlugins(path, given);
    return validateSettings(manifestSchema, given, "metadata");
  }
  if (source.address.kind === "folder" && source.address.path === "") await requireManifest(path);
  const file = await source.resolve(manifestName);
  await loadPlugins(path, parseJson(await readFile(file, "utf8")));
  return readManifest(file);
}

/** Loads what may bring the names in metadata.json, whose schema knows only registered strategies. */
async function loadPlugins(path: string, raw: unknown): Promise<void> {
  const names = pluginNamesSchema.safeParse(raw);
  if (!names.success) return; // said with its place when the manifest is read
  const { architecture, strategy, plugins } = names.data;
  await loadPluginsFor({ model: architecture, strategy });
  if (strategy !== undefined && !strategies.has(strategy)) refuseWithoutPlugin(path, "strategy", strategy, plugins);
}

const pluginNamesSchema = z.looseObject({
  architecture: z.string().optional(),
  strategy: z.string().optional(),
  plugins: z.array(z.string()).optional(),
});

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** @throws ModelError where the package says which plugin it needs; otherwise the name is simply unknown */
function refuseWithoutPlugin(path: string, what: string, name: string, plugins: readonly string[] = []): void {
  if (plugins.length === 0) return;
  throw new ModelError(`the package ${path} needs the ${what} "${name}" of the plugin ${plugins.join(" or ")}`, {
    hint: howToGet(plugins),
  });
}

async function requireManifest(path: string): Promise<void> {
  if (await stat(join(path, manifestName)).catch(() => undefined)) return;
  throw new UsageError(`${path} is not a package: it has no ${manifestName}`, {
    hint: "a run folder becomes one with `foehn package make`",
  });
}

// Cheap checks of the whole folder, so that a half-copied package is refused before hours of work and not after.
async function checkFileList(root: string, files: NonNullable<Manifest["files"]>): Promise<void> {
  for (const [name, { size }] of Object.entries(files)) {
    const found = await stat(join(root, name)).catch(() => undefined);
    if (!found?.isFile()) throw damaged(root, `its file ${name} is missing`);
    if (found.size !== size)
      throw damaged(root, `its file ${name} has ${found.size} bytes, metadata.json says ${size}`);
  }
  for (const entry of await readdir(root, { withFileTypes: true, recursive: true })) {
    const name = relative(root, join(entry.parentPath, entry.name)).split(sep).join("/");
    // What version control and download programs keep in hidden folders is no part of it.
    if (entry.isDirectory() || name.split("/").some((part) => part.startsWith("."))) continue;
    if (name !== manifestName && !Object.hasOwn(files, name)) {
      throw damaged(
        root,
        `it has a file ${name} that metadata.json does not list`,
        "remove it, or list it under files",
      );
    }
  }
}

function refuseCode(path: string, manifest: Manifest): void {
  const own = networks.has(manifest.architecture) ? undefined : manifest.architecture_entrypoint;
  const code = manifest.entrypoint?.name || own;
  if (code) {
    throw new ModelError(`the package ${path} is no network of Foehn's: it brings code (${code})`, {
      hint: "getModel opens it, and the verbs that forecast and score do",
    });
  }
  if (manifest.architecture) return;
  throw new ModelError(`the package ${path} names no architecture`, {
    hint: 'set "architecture" in metadata.json, for example to "persistence"; `foehn model list` lists them',
  });
}

async function loadWeights(
  network: Network,
  manifest: Manifest,
  path: string,
  file: (name: string) => Promise<string>,
): Promise<void> {
  if (manifest.weights === undefined) {
    const needed = network.stateDict().size;
    if (needed === 0) return;
    throw new ModelError(`the package ${path} has no weights, but ${manifest.architecture} has ${needed} tensors`, {
      hint: 'name the safetensors file under "weights" in metadata.json',
    });
  }
  const { tensors } = torch.safetensors.load(await file(manifest.weights));
  try {
    network.loadStateDict(tensors);
  } catch (error) {
    throw new ModelError(
      `the weights of ${path} do not fit ${manifest.architecture}: ${error instanceof Error ? error.message : error}`,
      { hint: "settings, channels, forcings and statics must be those of the training", cause: error },
    );
  } finally {
    for (const tensor of tensors.values()) tensor.dispose();
  }
}

/** Reads named float32 fields of known shapes. */
function readFields(path: string, shapes: Readonly<Record<string, readonly number[]>>): Record<string, Float32Array> {
  using tensors = torch.safetensors.open(path);
  const fields: Record<string, Float32Array> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    if (!tensors.names().includes(name)) throw new ModelError(`${path} has no tensor "${name}"`);
    const tensor = tensors.tensor(name);
    try {
      if (tensor.dtype !== "float32" || tensor.shape.join() !== shape.join()) {
        throw new ModelError(
          `${path}: the tensor "${name}" is ${tensor.dtype} of shape (${tensor.shape.join(", ")}), expected float32 of (${shape.join(", ")})`,
        );
      }
      fields[name] = tensor.toTypedArray() as Float32Array;
    } finally {
      tensor.dispose();
    }
  }
  return fields;
}
