// Any model as verbs take it: what they ask of a package of Foehn's (features, grid, step, history) is answered for published models, ONNX and
// TorchScript files and packages with code too, whose loop is opened here and handed out by `openLoop`.
// Not here: how a model is found and opened (model-plan.ts, get-model.ts).

import { ModelError } from "../core/errors.js";
import type { DatasetInfo, FeatureInfo } from "../datasets/dataset.js";
import { noForcing } from "../datasets/forcings.js";
import { gridToJson } from "../grid/json.js";
import { staticsOf } from "../hub/contents.js";
import { isoDuration, manifestSchema } from "../hub/manifest.js";
import { type ModelPackage, openPackage } from "../hub/model-package.js";
import { Package } from "../hub/package.js";
import { type GetModelOptions, openPlan } from "./get-model.js";
import { type ModelPlan, planModel } from "./model-plan.js";
import type { LoopPackage } from "./open-loop.js";
import type { OpenModel } from "./open-model.js";

/**
 * A model for a verb. A network of Foehn's is opened later, with the data; any other here.
 * @param given what `getModel` understands, or an open package
 * @throws as `getModel`
 */
export async function openModelPackage(
  given: string | Package | ModelPackage,
  options: GetModelOptions = {},
): Promise<ModelPackage> {
  if (typeof given !== "string" && !(given instanceof Package)) return given;
  const plan = await planModel(given, options);
  if (plan.way.kind === "network" && plan.model) {
    // The loop that is opened later knows nothing of them.
    for (const note of plan.notes) options.progress?.note(note);
    return plan.model;
  }
  return loopPackage(plan, await openPlan(plan, options));
}

/** The same without a loop: what the package says of its model. @throws as `openPackage` */
export async function describedPackage(
  given: string | Package | ModelPackage,
  options: GetModelOptions = {},
): Promise<ModelPackage> {
  return typeof given === "string" || given instanceof Package ? openPackage(given, options) : given;
}

async function loopPackage({ model: described, package: source }: ModelPlan, loop: OpenModel): Promise<LoopPackage> {
  const { name, version, architecture, grid, timeStep, inChannelNames, outChannelNames } = loop;
  const features: readonly FeatureInfo[] = await loop.features();
  const info: DatasetInfo = {
    name,
    grid,
    stepSeconds: timeStep,
    features,
    forcingNames: [],
    forcing: noForcing,
    stats: {},
    diffStats: {},
    borderSize: 0,
    statics: staticsOf(grid, 0, [], new Float32Array(0)),
  };
  const manifest =
    described?.manifest ??
    manifestSchema.parse({
      ...{ name, version, architecture, grid: gridToJson(grid), time_step: isoDuration(timeStep) },
      ...{ in_channels_names: [...inChannelNames], out_channels_names: [...outChannelNames] },
    });
  const none = (what: string) => async (): Promise<never> => {
    throw new ModelError(`the package ${source.uri} has no ${what} of Foehn's: it is ${architecture}`);
  };
  const initial = await loop.initialFeatures();
  return {
    path: described?.path ?? source.uri,
    source,
    name,
    manifest: { ...manifest, architecture },
    strategy: manifest.strategy,
    strategySettings: {},
    numInputSteps: loop.nHistoryLevels,
    numInterSteps: 1,
    maskAsInput: false,
    outputStd: false,
    file: (path) => source.resolve(path),
    verify: none("table of files"),
    info: async () => info,
    network: none("network"),
    climatology: async () => (await described?.climatology()) ?? {},
    initialFeatures: initial,
    openLoop: async ({ borderSource }) => {
      if (borderSource === undefined) return loop;
      throw new ModelError(`border data were given, but the model has no use for them: it is ${architecture}`, {
        hint: "leave the border data out",
      });
    },
  };
}
