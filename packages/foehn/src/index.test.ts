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
      "ConfigError",
      "DataError",
      "FoehnError",
      "FormatError",
      "GraphNetwork",
      "Inference",
      "InterruptedError",
      "ModelError",
      "NamedTensor",
      "Network",
      "NumericalError",
      "PaddedNetwork",
      "StorageError",
      "Strategy",
      "Trackers",
      "TrustError",
      "UsageError",
      "areaWeights",
      "arraySource",
      "batches",
      "checkNetwork",
      "computeForcings",
      "convert",
      "createItem",
      "createLoss",
      "createNetwork",
      "createProgress",
      "createStrategy",
      "curvilinearGrid",
      "describeAnyGrid",
      "drawErrorMap",
      "drawForecastMap",
      "forcingNames",
      "forecast",
      "formatDuration",
      "formatError",
      "formatScoreTable",
      "formatTime",
      "gaussianGrid",
      "gaussianLatitudes",
      "isFoehnError",
      "latLonGrid",
      "listDatasets",
      "loadConfig",
      "loadPluginFiles",
      "lookupVariable",
      "losses",
      "namedGrid",
      "networks",
      "observers",
      "octahedralGrid",
      "openDataset",
      "openPackage",
      "openSource",
      "openSourceDataset",
      "packageRun",
      "parseDuration",
      "parseTime",
      "parseTimeRange",
      "placesOf",
      "pointsGrid",
      "reducedGaussianGrid",
      "registerDataset",
      "regridder",
      "regularGrid",
      "resumeTraining",
      "sameUnits",
      "scoreForecast",
      "silentProgress",
      "strategies",
      "syntheticSource",
      "train",
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
