/**
 * Foehn as a library: what the command line does, as functions.
 *
 * ```ts
 * import { forecast, packageRun, scoreForecast, train } from "foehn";
 *
 * const run = await train({ dataset: "synthetic", epochs: 1, limit_train_batches: 4 });
 * const model = await packageRun(run, "my-model");
 * const { table } = await scoreForecast({ package: model, source: "synthetic", steps: 6 });
 * console.log(table.model.rmse);
 * ```
 *
 * @module
 */

// The observers that come with Foehn
import "./plots/observers/builtin.js";

// Errors, times, progress
export { loadConfig } from "./core/config.js";
export {
  ConfigError,
  DataError,
  FoehnError,
  FormatError,
  formatError,
  InterruptedError,
  isFoehnError,
  ModelError,
  NetworkError,
  NumericalError,
  StorageError,
  TrustError,
  UsageError,
} from "./core/errors.js";
export { createProgress, type Progress, silentProgress } from "./core/progress.js";
export { formatDuration, formatTime, parseDuration, parseTime, parseTimeRange } from "./core/time.js";
// Training data
export { type BatchOptions, batches } from "./datasets/batches.js";
export type { Dataset, DatasetInfo, DatasetOptions, DatasetSplits, Item, ItemBatch } from "./datasets/dataset.js";
export { computeForcings, type ForcingSpec, forcingNames } from "./datasets/forcings.js";
export { createItem } from "./datasets/item.js";
export { type DatasetEntry, listDatasets, openDataset, registerDataset } from "./datasets/registry.js";
export { type DatasetPlan, openSourceDataset, type PlannedVariable } from "./datasets/source-dataset.js";
// Forecasts
export { AutoModel } from "./forecast/auto-models/auto-model.js";
export type { LoadModelOptions, ModelDescription } from "./forecast/auto-models/model-loader.js";
export { autoModel, autoModelNames } from "./forecast/auto-models/registry.js";
export { columnWaterVapour } from "./forecast/diagnostics/column-water-vapour.js";
export type { Diagnostic, DiagnosticInput } from "./forecast/diagnostics/diagnostic.js";
export {
  relativeHumidity,
  relativeHumidityFromDewpoint,
  vapourPressureDeficit,
} from "./forecast/diagnostics/humidity.js";
export { networkDiagnostic, packageDiagnostic } from "./forecast/diagnostics/network-diagnostic.js";
export { type DiagnosticContext, listDiagnostics, openDiagnostic } from "./forecast/diagnostics/open-diagnostic.js";
export { surfacePressure } from "./forecast/diagnostics/surface-pressure.js";
export { windSpeed } from "./forecast/diagnostics/wind-speed.js";
export { type DiagnosticsOptions, withDiagnostics } from "./forecast/diagnostics/with-diagnostics.js";
export { type DummyLoop, dummyInference, dummyLoop } from "./forecast/dummy/dummy-loop.js";
export {
  checkEnsembleConfig,
  type EnsembleConfig,
  type EnsembleConfigInput,
  readEnsembleConfig,
} from "./forecast/ensemble/config.js";
export { type EnsembleJob, makeJob, readJob } from "./forecast/ensemble/job.js";
export {
  type EnsembleResult,
  type JobStep,
  type RunEnsembleOptions,
  runEnsemble,
  runJob,
} from "./forecast/ensemble/run-ensemble.js";
export { readWeatherEvents, type WeatherEvent, weatherEvent } from "./forecast/ensemble/weather-events.js";
export { type ExplainOptions, explain } from "./forecast/explain/explain.js";
export type { Explanation, FieldsPart, Problem } from "./forecast/explain/explanation.js";
export { type ForecastOptions, type ForecastResult, forecast } from "./forecast/forecast.js";
export { explainModel, type GetModelOptions, getModel } from "./forecast/get-model.js";
export { type FieldsHook, type StepHooks, withHooks } from "./forecast/hooks.js";
export { Inference, type InferenceState } from "./forecast/inference.js";
export { interleave } from "./forecast/interleave.js";
export type { ModelPlan } from "./forecast/model-plan.js";
export { type ModelFunction, type ModuleParts, ModuleStepper } from "./forecast/module-stepper.js";
export type { OpenModel } from "./forecast/open-model.js";
export { type AxisSizes, parseAxisSizes } from "./forecast/outputs/chunk-shapes.js";
export { type DomainNetcdfOptions, DomainNetcdfOutput, type DomainOfOutput } from "./forecast/outputs/domain-netcdf.js";
export { parsePoints, parseWindow } from "./forecast/outputs/domain-text.js";
export { type Domain, type PointsDomain, placeDomain, type WindowDomain } from "./forecast/outputs/domains.js";
export { type FileOutputOptions, fileOutput } from "./forecast/outputs/file-output.js";
export type { ForecastHeader, ForecastOutput, ForecastStep, OutputUnits } from "./forecast/outputs/output.js";
export type {
  Perturbation,
  PerturbationContext,
  PerturbationRow,
} from "./forecast/perturbations/perturbation.js";
export { createPerturbation, type PerturbationSettings } from "./forecast/perturbations/registry.js";
export { type ReplayOptions, replayLoop } from "./forecast/replay-loop.js";
export { type RolloutOptions, runForecast } from "./forecast/rollout.js";
export type { SourceTerm } from "./forecast/source-term.js";
export type { LoopDescription, TimeLoop, TimeLoopStep } from "./forecast/time-loop.js";
export { fieldsState, loopOf, type StepperState, type TimeStepper } from "./forecast/time-stepper.js";
// Grids
export { type AnyGrid, describeAnyGrid, placesOf } from "./grid/any-grid.js";
export { gaussianGrid, gaussianLatitudes, octahedralGrid, reducedGaussianGrid } from "./grid/gaussian.js";
export { areaWeights } from "./grid/geometry.js";
export { type Grid, latLonGrid, regularGrid } from "./grid/grid.js";
export { namedGrid } from "./grid/json.js";
export { pointsGrid } from "./grid/points-grid.js";
export { curvilinearGrid } from "./grid/projected-grid.js";
export { type Regridder, type RegridMethod, type RegridOptions, regridder } from "./grid/regrid/regridder.js";
// Packages
export {
  type CachedPackage,
  listCached,
  type MaintenanceOptions,
  type PruneOptions,
  prune,
  verifyCache,
} from "./hub/cache/maintenance.js";
export { type PublishedModel, publishedModel, publishedModels } from "./hub/catalogue.js";
export { type MirrorResult, mirror } from "./hub/mirror.js";
export { type ModelPackage, openPackage } from "./hub/model-package.js";
export { Package, type PackageOptions } from "./hub/package.js";
export type { PackageFiles } from "./hub/package-files.js";
export { packageRun } from "./hub/package-run.js";
export { lockPackages, type PulledPackage, type PullOptions, pull } from "./hub/pull.js";
export { type PushOptions, type PushResult, push } from "./hub/push.js";
export { type SanitiseOptions, type SanitiseResult, sanitisePackage } from "./hub/sanitise.js";
export { writePackage } from "./hub/write-package.js";
// Files anywhere
export { fetchWithRetry, type HttpOptions, isNotFound } from "./io/remote/http.js";
export {
  type ObjectInfo,
  type ObjectStore,
  type ObjectStoreOptions,
  type ObjectStream,
  openObjectStore,
} from "./io/remote/object-store.js";
// Models
export { type CheckOptions, type CheckOutcome, checkNetwork } from "./models/conformance/check-network.js";
export { type TimedForward, withCosZenith } from "./models/cos-zenith.js";
export { GraphNetwork } from "./models/graph-network.js";
export {
  type InputShape,
  type ModelType,
  Network,
  type NetworkClass,
  type NetworkSettings,
} from "./models/network.js";
export { PaddedNetwork, type PaddingRule } from "./models/padded-network.js";
export { createNetwork, networks } from "./models/registry.js";
// Figures
export { drawRankHistogram, drawSpreadSkill, type EnsembleFigureOptions } from "./plots/ensemble-scores.js";
export { drawErrorMap, drawForecastMap } from "./plots/forecast-map.js";
// Scores
export { crps } from "./scores/ensemble/crps.js";
export { energyScore } from "./scores/ensemble/energy.js";
export { knownRegions, type NamedRegion } from "./scores/ensemble/regions.js";
export { type ScoredDomain, type ScoreEnsembleOptions, scoreEnsemble } from "./scores/ensemble/score-ensemble.js";
export {
  type EnsembleCase,
  type EnsembleScores,
  EnsembleSums,
  type EnsembleSumsSettings,
} from "./scores/ensemble/sums.js";
export { type EnsembleTable, formatEnsembleTable } from "./scores/ensemble/table.js";
export { type FssOptions, fractionsSkillScore } from "./scores/fss.js";
export { type LaggedOptions, type LaggedResult, scoreLagged } from "./scores/lagged/lagged.js";
export { applyEdges, computeEdges, type S2sOptions, scoreTerciles, type TercileScore } from "./scores/s2s/s2s.js";
export { dataSamples, forecastSamples, type Samples } from "./scores/s2s/samples.js";
export {
  type MergeScoresOptions,
  mergeScores,
  type ScoreOptions,
  type ScoreResult,
  scoreForecast,
} from "./scores/score.js";
export { formatScoreTable, type ScoreTable } from "./scores/table.js";
// Data sources
export { type Adaptation, type AdaptOptions, adaptSource } from "./sources/adapted-source.js";
export { arraySource } from "./sources/array-source.js";
export type { CdsOptions } from "./sources/cds.js";
export { type CombineOptions, combine, type FallbackOptions, fallback } from "./sources/combine.js";
export { DataCache, type DataCacheOptions, dataCacheDir } from "./sources/data-cache.js";
export type { EcmwfOptions } from "./sources/ecmwf.js";
export { chooseDomain, type ForecastStore, type ForecastStores, openForecasts } from "./sources/forecast-store.js";
export type { GfsOptions } from "./sources/gfs.js";
export { type OpenSourceOptions, openSource } from "./sources/open.js";
export { cdsSource, ecmwfSource, gfsSource, remoteGribSource } from "./sources/operational.js";
export { type RegridSpec, regridSource, type SourceRegrid } from "./sources/regrid-source.js";
export type { RemoteDataOptions } from "./sources/remote.js";
export type { RemoteOptions } from "./sources/remote-grib.js";
export type { RemoteGribOptions } from "./sources/remote-grib-source.js";
export type { Field, FieldRequest, Source, VariableInfo } from "./sources/source.js";
export { syntheticSource } from "./sources/synthetic.js";
// Named tensors
export { NamedTensor } from "./tensor/named-tensor.js";
// Trackers
export { Trackers } from "./tracking/trackers.js";
// Training
export type { EpochRecord, StepRecord, TrainingCallback } from "./training/callbacks.js";
export type { LossDefinition } from "./training/losses/definition.js";
export type { Loss, LossContext } from "./training/losses/loss.js";
export { createLoss, type LossSpec, losses } from "./training/losses/registry.js";
export {
  type ErrorObserver,
  type ObservedBatch,
  type ObserverDefinition,
  type ObserverReport,
  observers,
  type PassInfo,
} from "./training/observer.js";
export type { TrainOptions, TrainOptionsInput } from "./training/options.js";
export { loadPluginFiles } from "./training/plugins.js";
export { createStrategy, strategies } from "./training/strategies/registry.js";
export {
  type StateUpdate,
  Strategy,
  type StrategyClass,
  type StrategySettings,
} from "./training/strategies/strategy.js";
export { resumeTraining, type TrainHooks, type TrainResult, train } from "./training/train.js";
// Variables and units
export { lookupVariable } from "./variables/catalogue.js";
export { convert, sameUnits } from "./variables/units.js";
