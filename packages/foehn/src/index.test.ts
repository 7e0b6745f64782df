import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, vi } from "vitest";
import * as foehn from "./index.js";

const root = new URL("../../../", import.meta.url);
const example = new URL("examples/library/first-run.ts", root);

describe("the library", () => {
  it("exports what it promises, and nothing by accident", () => {
    // One name a line, so that several additions do not collide.
    expect(Object.keys(foehn).sort()).toEqual([
      "AutoModel",
      "ConfigError",
      "DataCache",
      "DataError",
      "DomainNetcdfOutput",
      "FoehnError",
      "FormatError",
      "GraphNetwork",
      "Inference",
      "InterruptedError",
      "ModelError",
      "ModuleStepper",
      "NamedTensor",
      "Network",
      "NetworkError",
      "NumericalError",
      "Package",
      "PaddedNetwork",
      "StorageError",
      "Strategy",
      "Trackers",
      "TrustError",
      "UsageError",
      "adaptSource",
      "areaWeights",
      "arraySource",
      "autoModel",
      "autoModelNames",
      "batches",
      "cdsSource",
      "checkNetwork",
      "columnWaterVapour",
      "combine",
      "computeForcings",
      "convert",
      "createItem",
      "createLoss",
      "createNetwork",
      "createProgress",
      "createStrategy",
      "curvilinearGrid",
      "dataCacheDir",
      "describeAnyGrid",
      "drawErrorMap",
      "drawForecastMap",
      "dummyInference",
      "dummyLoop",
      "ecmwfSource",
      "explain",
      "explainModel",
      "fallback",
      "fetchWithRetry",
      "fieldsState",
      "fileOutput",
      "forcingNames",
      "forecast",
      "formatDuration",
      "formatError",
      "formatScoreTable",
      "formatTime",
      "gaussianGrid",
      "gaussianLatitudes",
      "getModel",
      "gfsSource",
      "interleave",
      "isFoehnError",
      "isNotFound",
      "knownRegions",
      "latLonGrid",
      "listCached",
      "listDatasets",
      "listDiagnostics",
      "loadConfig",
      "loadPluginFiles",
      "lockPackages",
      "lookupVariable",
      "loopOf",
      "losses",
      "mergeScores",
      "mirror",
      "namedGrid",
      "networkDiagnostic",
      "networks",
      "observers",
      "octahedralGrid",
      "openDataset",
      "openDiagnostic",
      "openObjectStore",
      "openPackage",
      "openSource",
      "openSourceDataset",
      "packageDiagnostic",
      "packageRun",
      "parseAxisSizes",
      "parseDuration",
      "parsePoints",
      "parseTime",
      "parseTimeRange",
      "parseWindow",
      "placeDomain",
      "placesOf",
      "pointsGrid",
      "prune",
      "publishedModel",
      "publishedModels",
      "pull",
      "push",
      "reducedGaussianGrid",
      "registerDataset",
      "regridSource",
      "regridder",
      "regularGrid",
      "relativeHumidity",
      "relativeHumidityFromDewpoint",
      "remoteGribSource",
      "replayLoop",
      "resumeTraining",
      "runForecast",
      "sameUnits",
      "sanitisePackage",
      "scoreForecast",
      "silentProgress",
      "strategies",
      "surfacePressure",
      "syntheticSource",
      "train",
      "vapourPressureDeficit",
      "verifyCache",
      "windSpeed",
      "withCosZenith",
      "withDiagnostics",
      "withHooks",
      "writePackage",
    ]);
  });

  it("does what the README's example says", async () => {
    const code = readFileSync(example, "utf8");
    expect(readFileSync(new URL("README.md", root), "utf8")).toContain(code);
    const before = process.cwd();
    const folder = mkdtempSync(join(tmpdir(), "foehn-readme-"));
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    try {
      process.chdir(folder);
      await import(fileURLToPath(example));
      expect(log.mock.calls.flat().join("\n")).toMatch(/h \(m\) +\+1 h/);
      await expect(foehn.openPackage("my-model")).resolves.toMatchObject({ numInputSteps: 2 });
    } finally {
      process.chdir(before);
      log.mockRestore();
      rmSync(folder, { recursive: true, force: true });
    }
  }, 120_000);
});
