// How a model is found, step by step, before anything of it is loaded: the package, its metadata.json, and which of its keys decides. No code
// runs here and no weights are read. `foehn … --explain` prints the lines. The order is earth2mip's: entrypoint, then a known architecture,
// then architecture_entrypoint. Not here: carrying it out (get-model.ts).

import { ModelError } from "../core/errors.js";
import { type PublishedModel, publishedAt, publishedModel } from "../hub/catalogue.js";
import { type EntryPoint, parseEntryPoint } from "../hub/entry-point.js";
import { manifestName } from "../hub/manifest.js";
import { type ModelPackage, openPackage } from "../hub/model-package.js";
import { Package, type PackageOptions } from "../hub/package.js";
import { networks } from "../models/registry.js";
import { loaderAlias, notLoadable } from "./auto-models/registry.js";

/** How a model is opened. */
export type ModelWay =
  /** By one of Foehn's own loaders. */
  | { readonly kind: "auto"; readonly name: string; readonly kwargs: Readonly<Record<string, unknown>> }
  /** By code that gives a TimeLoop. */
  | { readonly kind: "entrypoint"; readonly entry: EntryPoint; readonly kwargs: Readonly<Record<string, unknown>> }
  /** By code that gives a module or a function. */
  | { readonly kind: "module"; readonly entry: EntryPoint }
  /** A network of Foehn's registry. */
  | { readonly kind: "network" }
  /** A file that is run as it is. */
  | { readonly kind: "onnx" | "torchscript"; readonly file: string };

/** What is known of a model before it is opened. */
export interface ModelPlan {
  readonly package: Package;
  /** What metadata.json says; undefined where there is none. */
  readonly model: ModelPackage | undefined;
  readonly way: ModelWay;
  /** Remarks that belong to every record of a forecast. */
  readonly notes: readonly string[];
  /** The steps of the resolution, for people. */
  readonly lines: readonly string[];
}

/** Options of `planModel`. */
export interface PlanOptions extends PackageOptions {
  /** Instead of the package's metadata.json: the same keys. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Decides how a model is opened.
 * @param uri what `hub/uri.ts` understands, or an open package
 * @throws UsageError for an address that is none; ConfigError for a wrong metadata.json; ModelError for a model that cannot be loaded
 */
export async function planModel(uri: string | Package, options: PlanOptions = {}): Promise<ModelPlan> {
  const builtin = typeof uri === "string" ? builtinName(uri) : undefined;
  const source = typeof uri === "string" ? new Package(uri, options) : uri;
  const lines = [`${source.uri} is ${describe(source)}`];
  if (builtin !== undefined) {
    const published = publishedModel(builtin);
    lines.push(`${uri} is ${published.title} of the catalogue; its files are at ${published.uri}`);
    const model = options.metadata === undefined ? undefined : await openPackage(source, options);
    return finished({ source, model, way: auto(published), lines, notes: [] });
  }
  if (options.metadata === undefined && !(await hasManifest(source))) return withoutManifest(source, options, lines);
  const model = await openPackage(source, options);
  const { manifest } = model;
  lines.push(
    options.metadata === undefined ? `${manifestName} was read` : "metadata was given, so metadata.json is not read",
  );
  const notes = [...(manifest.channel_notes ?? [])];
  lines.push(...notes);
  const way = await wayOf(model, notes, lines);
  return finished({ source, model, way, lines, notes });
}

/** Name in `builtin://name` or `e2mip://name`. */
function builtinName(uri: string): string | undefined {
  return /^(?:builtin|e2mip):\/*([^/?#]+)\/?$/i.exec(uri)?.[1];
}

function describe(source: Package): string {
  if (source.address.kind === "builtin") return "part of Foehn";
  if (source.isLocal) return "a folder on this machine";
  return `a package elsewhere, cached in ${source.cache.folder}`;
}

async function hasManifest(source: Package): Promise<boolean> {
  return source.address.kind !== "builtin" && (await source.has(manifestName));
}

/** A package without a metadata.json can be the published one of a model of the catalogue. */
async function withoutManifest(source: Package, options: PlanOptions, lines: string[]): Promise<ModelPlan> {
  const known = publishedAt(source.uri);
  const [published] = known;
  // Says what is missing, and which packages are near.
  if (!published)
    return finished({ source, model: await openPackage(source, options), way: { kind: "network" }, lines, notes: [] });
  lines.push(
    `it has no ${manifestName}, but is the published package of ${known.map((model) => model.name).join(", ")}`,
  );
  const notes =
    known.length === 1
      ? []
      : [
          `the package serves ${known.map((model) => model.name).join(", ")}; ${published.name} was taken: builtin://NAME takes another`,
        ];
  return finished({ source, model: undefined, way: auto(published), lines, notes });
}

/** @throws ModelError for a model that Foehn cannot load */
function auto(published: PublishedModel, kwargs: Readonly<Record<string, unknown>> = {}): ModelWay {
  if (published.notLoadable !== undefined) throw notLoadable(published);
  return { kind: "auto", name: published.name, kwargs };
}

async function wayOf(model: ModelPackage, notes: string[], lines: string[]): Promise<ModelWay> {
  const { manifest, path } = model;
  const entrypoint = manifest.entrypoint?.name;
  const module = manifest.architecture_entrypoint || undefined;
  const architecture = manifest.architecture.toLowerCase();
  if (entrypoint) {
    const alias = loaderAlias(entrypoint);
    const kwargs = { ...alias?.kwargs, ...manifest.entrypoint?.kwargs };
    if (alias) return aliased(alias.name, kwargs, entrypoint, model, lines);
    lines.push(`entrypoint "${entrypoint}" decides: it gives a TimeLoop`);
    return { kind: "entrypoint", entry: parseEntryPoint(entrypoint, path), kwargs };
  }
  if (architecture === "pickle") throw pickled(path);
  const file = manifest.weights;
  const named =
    architecture === "onnx" || (architecture === "" && !module && file?.endsWith(".onnx") === true)
      ? "onnx"
      : architecture === "torchscript"
        ? "torchscript"
        : undefined;
  if (named !== undefined) {
    lines.push(`the model is the ${named === "onnx" ? "ONNX" : "TorchScript"} file ${file ?? "that the package has"}`);
    return { kind: named, file: await modelFile(model, named) };
  }
  if (architecture !== "" && networks.has(architecture)) {
    if (module)
      notes.push(
        `architecture "${manifest.architecture}" is a network of Foehn's, so architecture_entrypoint is not run`,
      );
    lines.push(`architecture "${manifest.architecture}" is a network of Foehn's`);
    return { kind: "network" };
  }
  if (!module) return { kind: "network" }; // opening it says what is missing
  if (architecture !== "")
    notes.push(`architecture "${manifest.architecture}" is no network of Foehn's and was taken for a description`);
  const alias = loaderAlias(module);
  if (alias) return aliased(alias.name, {}, module, model, lines);
  lines.push(`architecture_entrypoint "${module}" decides: it gives a module, which Foehn steps`);
  return { kind: "module", entry: parseEntryPoint(module, path) };
}

async function aliased(
  name: string,
  kwargs: Readonly<Record<string, unknown>>,
  entry: string,
  model: ModelPackage,
  lines: string[],
): Promise<ModelWay> {
  if (name === "pickle") throw pickled(model.path);
  lines.push(
    entry.startsWith("foehn:")
      ? `metadata.json names Foehn's loader ${name}: no code of the package runs`
      : `"${entry}" is a loader of earth2mip, for which Foehn has its own (${name}): no code of the package runs`,
  );
  if (name === "torchscript") return { kind: "torchscript", file: await modelFile(model, "torchscript") };
  return auto(publishedModel(name), kwargs);
}

const pickled = (path: string): ModelError =>
  new ModelError(
    `the package ${path} has the architecture "pickle": a pickled Python object, which is never executed`,
    {
      hint: "save its weights as safetensors or a state dict, or the module as TorchScript or ONNX, and name that",
    },
  );

/** The file of a model that is one: what `weights` says, or the only one of its kind. */
async function modelFile({ manifest, source, path }: ModelPackage, kind: "onnx" | "torchscript"): Promise<string> {
  if (manifest.weights !== undefined) return manifest.weights;
  if (kind === "torchscript") return "scripted_model.pt";
  const names = (await source.list()).map((file) => file.path).filter((name) => name.endsWith(".onnx"));
  if (names.length === 1) return names[0]!;
  throw new ModelError(
    `the package ${path} has ${names.length === 0 ? "no ONNX file" : `${names.length} ONNX files`}`,
    {
      hint:
        names.length === 0
          ? 'name it under "weights" in metadata.json'
          : `name one under "weights": ${names.join(", ")}`,
    },
  );
}

function finished({ source, ...rest }: Omit<ModelPlan, "package"> & { readonly source: Package }): ModelPlan {
  const { way } = rest;
  const lines = [...rest.lines];
  if (way.kind === "auto") {
    const { files, license } = publishedModel(way.name);
    const kwargs = Object.keys(way.kwargs).length === 0 ? "" : ` with ${JSON.stringify(way.kwargs)}`;
    lines.push(`Foehn's loader ${way.name}${kwargs} reads ${files.length === 0 ? "no files" : files.join(", ")}`);
    if (license !== undefined) lines.push(`licence of the published weights: ${license}`);
  }
  if (way.kind === "entrypoint" || way.kind === "module") {
    const may = source.isLocal
      ? "it may, because the package is on this machine"
      : source.trusted
        ? "it may, because it was vouched for"
        : "it may not: nobody has vouched for it (--trust)";
    lines.push(`code of the package would run, ${way.entry.text}: ${may}`);
  }
  return { package: source, ...rest, lines };
}
