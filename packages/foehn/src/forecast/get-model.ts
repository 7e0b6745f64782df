// getModel: an address becomes a model that is ready to run, whatever it is made of: a network that Foehn trained, a published model, an ONNX or
// TorchScript file, or code that a package brings, which runs only when it is trusted. Every verb goes through here, as earth2mip's tools go
// through its `get_model`. Not here: deciding what a package is (model-plan.ts).

import { dirname } from "node:path";
import { FoehnError, isFoehnError, ModelError } from "../core/errors.js";
import { parseDuration } from "../core/time.js";
import { candidates, type EntryFunction, type EntryPoint, findModule, loadEntryPoint } from "../hub/entry-point.js";
import { saidGrid } from "../hub/manifest.js";
import type { ModelPackage } from "../hub/model-package.js";
import type { Package } from "../hub/package.js";
import { requireTrust } from "../hub/trust.js";
import { resolveDevice } from "../training/precision.js";
import { autoModel } from "./auto-models/registry.js";
import type { InferenceOptions } from "./inference.js";
import { type ModelPlan, type PlanOptions, planModel } from "./model-plan.js";
import { openModulePackage, openOnnxPackage, openTorchScriptPackage } from "./module-package.js";
import { type OpenLoop, openLoop } from "./open-loop.js";
import { type OpenModel, openModel } from "./open-model.js";
import type { TimeLoop } from "./time-loop.js";
import { loopOf, type TimeStepper } from "./time-stepper.js";

/** Options of `getModel`. */
export interface GetModelOptions extends PlanOptions, InferenceOptions {
  /** Where to compute: `cpu`, `cuda`, `cuda:N`, `auto`. Default `cpu`. */
  readonly device?: string;
}

/**
 * Opens a model.
 * @param uri a folder, `file:///path`, a name in the registry, `https://`, `s3://`, `hf://`, `ngc://`, `builtin://name`; or an open package
 * @returns a TimeLoop to be disposed; `notes` says what was taken for what
 * @throws UsageError, ConfigError, ModelError, NetworkError: see the parts; TrustError when code of a package that nobody vouched for would run
 */
export async function getModel(uri: string | Package, options: GetModelOptions = {}): Promise<OpenModel> {
  return openPlan(await planModel(uri, options), options);
}

/** How `getModel` would go about it, line by line. Runs no code and reads no weights. @throws as `planModel` */
export async function explainModel(uri: string | Package, options: PlanOptions = {}): Promise<readonly string[]> {
  return (await planModel(uri, options)).lines;
}

/** Opens what a plan found. */
export async function openPlan(plan: ModelPlan, options: GetModelOptions = {}): Promise<OpenModel> {
  const device = resolveDevice(options.device ?? "cpu");
  const { way, model, notes } = plan;
  const { precision, source } = options;
  switch (way.kind) {
    case "network": {
      const pkg = requireModel(plan);
      const loop = await openLoop(pkg, { ...options, device });
      return openModel(loop, { ...detailsOf(plan, pkg.manifest.architecture), package: pkg }, notes);
    }
    case "auto": {
      const files = plan.package;
      const description = descriptionOf(model);
      const settings = { device, precision, kwargs: way.kwargs, description, signal: options.signal };
      return openModel(await autoModel(way.name).loadModel(files, settings), detailsOf(plan, way.name), notes);
    }
    case "onnx":
    case "torchscript": {
      const open = way.kind === "onnx" ? openOnnxPackage : openTorchScriptPackage;
      const loop = await open(requireModel(plan), way.file, { device, precision, source, notes });
      return openModel(loop, detailsOf(plan, way.kind), notes);
    }
    case "module": {
      const pkg = requireModel(plan);
      const load = await trustedFunction(plan.package, way.entry, "architecture_entrypoint");
      // Both spellings of the arguments: (package, { pretrained, device }) and, as in Python, (package, pretrained, device).
      const options_ = { pretrained: true, device };
      const given = await calling(way.entry, () =>
        load.length >= 3 ? load(plan.package, true, device) : load(plan.package, options_, device),
      );
      const loop = await openModulePackage(pkg, given, { device, precision, source, notes });
      return openModel(loop, detailsOf(plan, "code"), notes);
    }
    case "entrypoint": {
      const load = await trustedFunction(plan.package, way.entry, "entrypoint");
      const given = await calling(way.entry, () => load(plan.package, { ...way.kwargs, device }));
      return openModel(requireLoop(given, way.entry), detailsOf(plan, "code"), notes);
    }
  }
}

function detailsOf(plan: ModelPlan, architecture: string) {
  const { model, package: source } = plan;
  const builtin = plan.way.kind === "auto" && source.address.kind === "builtin" ? plan.way.name : undefined;
  return { name: builtin ?? model?.name ?? source.name, version: model?.manifest.version ?? "0.0.0", architecture };
}

function requireModel(plan: ModelPlan): ModelPackage {
  if (plan.model) return plan.model;
  throw new ModelError(`the package ${plan.package.uri} has no metadata.json`);
}

/** What metadata.json says for a loader that may need it. */
function descriptionOf(model: ModelPackage | undefined) {
  if (!model) return undefined;
  const { manifest } = model;
  return {
    inChannelNames: manifest.in_channels_names.length > 0 ? manifest.in_channels_names : undefined,
    grid: saidGrid(manifest),
    timeStep: parseDuration(manifest.time_step),
  };
}

/** The function of an entry point, after asking whether it may run. */
async function trustedFunction(source: Package, entry: EntryPoint, key: string): Promise<EntryFunction> {
  const { uri, trusted } = source;
  requireTrust({ uri, trusted, what: `${key} "${entry.text}"` });
  const files = await codeFiles(source, entry);
  const place = await findModule(entry, files);
  let root = "";
  if (place.kind === "package") {
    // Its neighbours may be imported by it.
    const code = files.filter((file) => /\.([cm]?[jt]s|json)$/.test(file));
    const paths = new Map<string, string>();
    for (const file of code) paths.set(file, await source.resolve(file));
    root = place.path.split("/").reduce((folder) => dirname(folder), paths.get(place.path)!);
  }
  return loadEntryPoint(entry, place, { root, uri, files });
}

/** Names of the package's files; where its store cannot list them, those that the entry point may mean. */
async function codeFiles(source: Package, entry: EntryPoint): Promise<string[]> {
  try {
    return (await source.list()).map((file) => file.path);
  } catch (error) {
    if (!isFoehnError(error, "usage")) throw error;
    const found: string[] = [];
    for (const path of candidates(entry.module)) if (await source.has(path)) found.push(path);
    return found;
  }
}

/** Runs a package's code; what it throws by accident is told as the package's fault. */
async function calling(entry: EntryPoint, run: () => unknown): Promise<unknown> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof FoehnError) throw error;
    const frame = /\(?((?:file:\/\/)?\/[^\s()]+:\d+:\d+)\)?/.exec(
      error instanceof Error ? (error.stack ?? "") : "",
    )?.[1];
    throw new ModelError(`${entry.text} failed: ${error instanceof Error ? error.message : String(error)}`, {
      where: frame?.replace("file://", ""),
      hint: "correct it in the package's code",
      cause: error,
    });
  }
}

/** @throws ModelError when code gave something else than a TimeLoop or TimeStepper */
function requireLoop(given: unknown, entry: EntryPoint): OpenLoop | TimeLoop {
  const loop = given as Partial<TimeLoop & TimeStepper> | null | undefined;
  const isStepper = typeof loop?.initialize === "function" && typeof loop.step === "function";
  const missing = [
    ...(typeof loop?.run === "function" || isStepper ? [] : ["run"]),
    ...(["inChannelNames", "outChannelNames", "grid", "nHistoryLevels", "historyTimeStep", "timeStep"] as const).filter(
      (key) => loop?.[key] === undefined,
    ),
  ];
  if (missing.length === 0) return typeof loop?.run === "function" ? (loop as TimeLoop) : loopOf(loop as TimeStepper);
  throw new ModelError(`${entry.text} gave no TimeLoop: it lacks ${missing.join(", ")}`, {
    hint: "a TimeLoop has inChannelNames, outChannelNames, grid, nHistoryLevels, historyTimeStep, timeStep and run; for a bare network use architecture_entrypoint",
  });
}
