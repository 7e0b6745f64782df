// The catalogue of published models: where their weights are, what they work on, and whether Foehn loads them. Nothing here reads a file
// or the network. Addresses and pins are the default packages of NVIDIA Earth2Studio (its `load_default_package` methods, 2026)
// and earth2mip; licences are those that the publishers' own pages state, left out where that was not seen.
// Not here: the rows (published/), the loaders (forecast/auto-models/).

import { UsageError } from "../core/errors.js";
import { didYouMean } from "../core/suggest.js";
import { forecasts } from "./published/forecasts.js";
import { loadable } from "./published/loadable.js";
import { others } from "./published/others.js";
import type { PublishedModel } from "./published/row.js";

export type { PublishedModel } from "./published/row.js";

const models: readonly PublishedModel[] = [...loadable, ...forecasts, ...others].map((row) => ({
  ...{ aliases: [], kind: "prognostic", license: undefined, grid: undefined, stepSeconds: undefined, history: 1 },
  ...{ channels: undefined, files: [], notLoadable: undefined },
  ...row,
}));

/** All published models, those that Foehn loads first. */
export function publishedModels(): readonly PublishedModel[] {
  return models;
}

/** A published model by its name or a name that it has elsewhere. @throws UsageError for an unknown one, with the nearest */
export function publishedModel(name: string): PublishedModel {
  const exact = models.find((model) => model.name === name || model.aliases.includes(name));
  if (exact) return exact;
  // Without regard to case, where that is unambiguous: pangu_6 and Pangu6 are different models.
  const lower = name.toLowerCase();
  const near = models.filter((model) => [model.name, ...model.aliases].some((other) => other.toLowerCase() === lower));
  if (near.length === 1) return near[0]!;
  const names = models.map((model) => model.name);
  throw new UsageError(`there is no published model "${name}" in the catalogue`, {
    hint: didYouMean(name, names) || "`foehn model list --remote` prints the catalogue",
  });
}

/** The models whose default package an address is, as it is written in the catalogue or without its pin. */
export function publishedAt(uri: string): readonly PublishedModel[] {
  const bare = (text: string) => text.replace(/\/+$/, "").replace(/@[^/]*/, "");
  return models.filter((model) => model.uri === uri || bare(model.uri) === bare(uri));
}
