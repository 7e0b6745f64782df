// Persistence as an AutoModel: it has no files, so its channels, grid and step come from the package's metadata.json or the caller.

import { ConfigError } from "../../core/errors.js";
import { gridFromJson } from "../../grid/json.js";
import type { PackageFiles } from "../../hub/package-files.js";
import type { OpenLoop } from "../open-loop.js";
import { PersistenceLoop } from "../persistence-loop.js";
import { knownKwargs, type LoadModelOptions } from "./model-loader.js";

/** @throws ConfigError when no channels are said */
export async function loadPersistence(files: PackageFiles, options: LoadModelOptions): Promise<OpenLoop> {
  knownKwargs(options, "persistence", []);
  const { inChannelNames = [], grid = "721x1440", timeStep = 6 * 3600 } = options.description ?? {};
  if (inChannelNames.length === 0) {
    throw new ConfigError("persistence works on any channels, so they must be said", {
      where: files.uri,
      hint: 'give metadata: { in_channels_names: ["t2m"], grid: "721x1440" }, or a package with such a metadata.json',
    });
  }
  return new PersistenceLoop({
    features: inChannelNames.map((name) => ({ name })),
    grid: gridFromJson(grid),
    stepSeconds: timeStep,
  });
}
