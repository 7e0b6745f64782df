// What can be known of a model without its weights: channels, grid, steps, forcings and border, from metadata.json or the catalogue of
// published models; and its files, with what is on this machine already. Code of packages is not run.

import { TrustError } from "../../core/errors.js";
import type { DatasetInfo, FeatureInfo } from "../../datasets/dataset.js";
import { prognosticFeatures } from "../../datasets/features.js";
import { type ForcingSpec, noForcing } from "../../datasets/forcings.js";
import type { Grid } from "../../grid/grid.js";
import { namedGrid } from "../../grid/json.js";
import { publishedModel } from "../../hub/catalogue.js";
import { describeChannel, infoOf } from "../../hub/contents.js";
import { manifestName, saidGrid } from "../../hub/manifest.js";
import type { Package } from "../../hub/package.js";
import { createStrategy } from "../../training/strategies/registry.js";
import type { ModelPlan } from "../model-plan.js";
import type { NeededFile, Problems } from "./explanation.js";

/** A model without its weights. */
export interface ModelFacts {
  readonly grid: Grid;
  readonly stepSeconds: number;
  readonly numInputSteps: number;
  readonly historySeconds: number;
  /** Initial fields. */
  readonly initial: readonly FeatureInfo[];
  readonly features: readonly FeatureInfo[];
  readonly forcing: ForcingSpec;
  readonly numStatics: number;
  /** 0 where its strategy forces none. */
  readonly borderSize: number;
  /** Its strategy's, for the message about border data that nobody looks at. */
  readonly strategy: string | undefined;
  /** Whether forcings are read at the initial time too. */
  readonly interpolates: boolean;
  readonly periods?: DatasetInfo["periods"];
}

/** The facts; undefined, with a problem or a remark, where they cannot be known before code has run. */
export async function modelFacts(
  plan: ModelPlan,
  problems: Problems,
  notes: string[],
): Promise<ModelFacts | undefined> {
  const { way, model, package: source } = plan;
  if ((way.kind === "entrypoint" || way.kind === "module") && !source.trusted) {
    problems.add(
      new TrustError(`the package ${source.uri} brings code (${way.entry.text}), and nobody has vouched for it`, {
        hint: "look at it, then give --trust",
      }),
    );
  }
  if (way.kind === "auto") return publishedFacts(way.name, plan, problems, notes);
  if (!model) return undefined;
  const { manifest } = model;
  if (manifest.diagnostic) {
    notes.push("the package is a diagnostic: it is appended to forecasts of other models with --diagnostic");
  }
  if (way.kind === "entrypoint" && manifest.in_channels_names.length === 0) {
    notes.push("what the model needs is known only when its code runs: its metadata.json names no channels");
    return undefined;
  }
  return problems.try(() => {
    const info = infoOf(manifest, model.name);
    const strategy = createStrategy(model.strategy, model.strategySettings);
    const isNetwork = way.kind === "network";
    const initial = isNetwork && !strategy.usesStates ? [] : prognosticFeatures(info);
    return {
      grid: info.grid,
      stepSeconds: info.stepSeconds,
      numInputSteps: isNetwork && !strategy.usesStates ? 1 : model.numInputSteps,
      historySeconds: info.stepSeconds,
      initial: isNetwork && manifest.architecture === "persistence" ? info.features : initial,
      features: info.features,
      forcing: info.forcing,
      numStatics: manifest.statics?.names.length ?? 0,
      borderSize: strategy.forcesBorder ? info.borderSize : 0,
      strategy: model.strategy,
      interpolates: strategy.interpolatesInterSteps && model.numInterSteps > 1,
      periods: info.periods,
    };
  });
}

async function publishedFacts(
  name: string,
  { model }: ModelPlan,
  problems: Problems,
  notes: string[],
): Promise<ModelFacts | undefined> {
  const published = publishedModel(name);
  const { stepSeconds, history } = published;
  const said = model?.manifest.in_channels_names ?? [];
  const channels = said.length > 0 ? said : published.channels;
  const isGridSaid = model !== undefined && saidGrid(model.manifest) !== undefined;
  const grid = isGridSaid ? await problems.try(() => infoOf(model.manifest, name).grid) : undefined;
  if (channels === undefined || stepSeconds === undefined || (grid ?? published.grid) === undefined) {
    notes.push(`what ${published.title} needs is known only when its files are opened`);
    return undefined;
  }
  return problems.try(() => {
    const features = channels.map((channel) => describeChannel(channel, true, model?.manifest.variables));
    return {
      grid: grid ?? namedGrid(published.grid!),
      stepSeconds,
      numInputSteps: history,
      historySeconds: stepSeconds,
      initial: features,
      features,
      forcing: noForcing,
      numStatics: 0,
      borderSize: 0,
      strategy: undefined,
      interpolates: false,
    };
  });
}

/** The files that loading reads: named by the loader or metadata.json. Sizes come from lists and tables; nothing is fetched. */
export async function neededFiles(plan: ModelPlan, problems: Problems, notes: string[]): Promise<NeededFile[]> {
  const { way, model, package: source } = plan;
  if (source.address.kind === "builtin") return [];
  const listed = await source.list().catch((error: unknown) => {
    notes.push(`the package's files cannot be listed: ${error instanceof Error ? error.message : error}`);
    return undefined;
  });
  const sizes = new Map(listed?.map((file) => [file.path, file.size]));
  const manifest = model?.manifest;
  const named: string[] =
    way.kind === "auto"
      ? [...publishedModel(way.name).files]
      : way.kind === "onnx" || way.kind === "torchscript"
        ? [way.file]
        : [manifest?.weights, manifest?.statics?.file].filter((path) => path !== undefined);
  const files: NeededFile[] = [];
  for (const path of [...(model && way.kind !== "auto" ? [manifestName] : []), ...named]) {
    const size = sizes.get(path) ?? manifest?.files?.[path]?.size;
    const isHere = source.isLocal ? sizes.has(path) : await isCached(source, path);
    files.push({ path, size, isHere });
    const isMissing = listed !== undefined && !sizes.has(path) && !isHere && !/\.(zip|tar|tgz)\b/.test(path);
    if (isMissing && way.kind !== "auto" && source.isLocal) await problems.try(() => source.resolve(path));
  }
  return files;
}

async function isCached(source: Package, path: string): Promise<boolean> {
  const { address } = source;
  const full = "path" in address && address.path !== "" ? `${address.path}/${path}` : path;
  try {
    return (await source.cache.peek(await source.store(), full)) !== undefined;
  } catch {
    return false; // the store cannot be reached: then it is not known to be here
  }
}
