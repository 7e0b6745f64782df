// Which AutoModel a name means, and which of them stand for loaders that packages of earth2mip name as Python modules. Loaders are imported
// when a model is loaded, not before.

import { ModelError } from "../../core/errors.js";
import { type PublishedModel, publishedModel, publishedModels } from "../../hub/catalogue.js";
import { PublishedAutoModel } from "./auto-model.js";
import type { ModelLoader } from "./model-loader.js";

const pangu: ModelLoader = async (...args) => (await import("./pangu.js")).loadPangu(...args);

const loaders: Readonly<Record<string, ModelLoader>> = {
  persistence: async (files, options) => (await import("./persistence.js")).loadPersistence(files, options),
  fcn: async (files, options) => (await import("./fcn.js")).loadFcn(files, options),
  pangu,
  pangu_24: pangu,
  pangu_6: pangu,
  pangu_3: pangu,
  pangu_1: pangu,
  fuxi: async (files, options) => (await import("./fuxi.js")).loadFuXi(files, options),
  fengwu: async (files, options) => (await import("./fengwu.js")).loadFengWu(files, options),
  dlwp: async (files, options) => (await import("./dlwp.js")).loadDlwp(files, options),
};

/** The models that Foehn loads. */
export function autoModelNames(): string[] {
  return publishedModels()
    .map((model) => model.name)
    .filter((name) => Object.hasOwn(loaders, name));
}

/**
 * The AutoModel of a name.
 * @throws UsageError for a name that is not in the catalogue; ModelError for a model that Foehn cannot load, saying why
 */
export function autoModel(name: string): PublishedAutoModel {
  const published = publishedModel(name);
  const load = loaders[published.name];
  if (load) return new PublishedAutoModel(published.name, load);
  throw notLoadable(published);
}

/** Why a model of the catalogue is not loaded. */
export function notLoadable({ name, title, notLoadable: why }: PublishedModel): ModelError {
  return new ModelError(`${title} (${name}) cannot be loaded: ${why ?? "there is no loader for it"}`, {
    hint: `its files can be had with \`foehn package pull builtin://${name}\`; Foehn loads ${autoModelNames().join(", ")}`,
  });
}

/** What a Python loader of earth2mip comes to here. */
export interface LoaderAlias {
  /** Name of an AutoModel, or a kind of file. */
  readonly name: string;
  readonly kwargs?: Readonly<Record<string, unknown>>;
}

const pythonLoaders: Readonly<Record<string, LoaderAlias>> = {
  "earth2mip.networks.pangu:load": { name: "pangu" },
  "earth2mip.networks.pangu:load_24substep6": { name: "pangu" },
  "earth2mip.networks.pangu:load_single_model": { name: "pangu", kwargs: { time_step_hours: 24 } },
  "earth2mip.networks.pangu:load_24": { name: "pangu_24" },
  "earth2mip.networks.pangu:load_6": { name: "pangu_6" },
  "earth2mip.networks.fcn:load": { name: "fcn" },
  "earth2mip.networks.fcnv2_sm:load": { name: "fcnv2_sm" },
  "earth2mip.networks.dlwp:load": { name: "dlwp" },
  "earth2mip.networks.graphcast:load_time_loop": { name: "graphcast" },
  "earth2mip.networks.graphcast:load_time_loop_operational": { name: "graphcast_operational" },
  "earth2mip.networks.graphcast:load_time_loop_small": { name: "graphcast_small" },
  "earth2mip.networks:persistence": { name: "persistence" },
  "earth2mip.networks.persistence:load": { name: "persistence" },
  "earth2mip.loaders:torchscript": { name: "torchscript" },
  "earth2mip.loaders:pickle": { name: "pickle" },
};

/**
 * The loader of Foehn's that an entry point stands for: `foehn:fuxi`, or the Python one of earth2mip; undefined for anybody else's. Nothing
 * of the package runs then.
 * @throws ModelError for a loader of earth2mip that is not known, UsageError for a name that is not in the catalogue
 */
export function loaderAlias(entry: string): LoaderAlias | undefined {
  const text = entry.replace(/\s/g, "").replace(/^fcn_mip\./, "earth2mip.");
  if (text.startsWith("foehn:")) return { name: publishedModel(text.slice("foehn:".length)).name };
  const found = Object.hasOwn(pythonLoaders, text) ? pythonLoaders[text] : undefined;
  if (found || !text.startsWith("earth2mip.")) return found;
  throw new ModelError(`"${entry}" is a loader of earth2mip that Foehn has no counterpart of`, {
    hint: `known: ${Object.keys(pythonLoaders).join(", ")}`,
  });
}
