// The dummy forecast of a package: its data, and its loop without weights. What `foehn forecast --dummy` runs.

import type { DatasetInfo } from "../../datasets/dataset.js";
import type { ModelPackage } from "../../hub/model-package.js";
import { networks } from "../../models/registry.js";
import { dummySource } from "../../sources/dummy-source.js";
import type { Source } from "../../sources/source.js";
import { createStrategy } from "../../training/strategies/registry.js";
import { historyTimes } from "../initial-state.js";
import { initialFeatures } from "../open-loop.js";
import { type DummyLoop, dummyInference, dummyLoop } from "./dummy-loop.js";

/** Where a dummy forecast starts when nothing is said. */
export const dummyStart = Date.UTC(2020, 0, 1) / 1000;

/** Dummy fields of everything that a package reads, at every time of its forecasts. */
export function dummyData(
  pkg: ModelPackage,
  info: DatasetInfo,
  initialTimes: readonly number[],
  steps: number,
): Source {
  const times = initialTimes.flatMap((start) => [
    ...historyTimes(start, pkg.numInputSteps, info.stepSeconds),
    ...Array.from({ length: steps }, (_, n) => start + (n + 1) * info.stepSeconds),
  ]);
  const variables = [
    ...info.features.map(({ name, units }) => ({ name, units, stats: info.stats[name] })),
    ...info.forcing.variables.map((name) => ({ name, stats: info.stats[name] })),
  ];
  return dummySource({ grid: info.grid, times: [...new Set(times)].sort((a, b) => a - b), variables });
}

/** The loop: with every network call checked where the network is one of Foehn's, else without a network. */
export function openDummy(pkg: ModelPackage, info: DatasetInfo, source: Source): DummyLoop {
  const { manifest, strategy, strategySettings, numInputSteps, numInterSteps, maskAsInput, outputStd } = pkg;
  const hasCode = Boolean(manifest.entrypoint?.name || manifest.architecture_entrypoint);
  if (hasCode || !networks.has(manifest.architecture)) {
    return dummyLoop(info, {
      inChannelNames: initialFeatures(pkg, info).map((feature) => feature.name),
      nHistoryLevels: numInputSteps,
      historyTimeStep: info.stepSeconds,
    });
  }
  const hasBorder = info.borderSize > 0 && createStrategy(strategy, strategySettings).forcesBorder;
  return dummyInference(
    { info, strategy, strategySettings, numInputSteps, numInterSteps, maskAsInput, outputStd },
    { forcingSource: source, borderSource: hasBorder ? source : undefined },
  );
}
