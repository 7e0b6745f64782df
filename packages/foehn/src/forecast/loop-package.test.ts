import { afterAll, describe, expect, it } from "vitest";
import { latLonGrid } from "../grid/grid.js";
import { arraySource } from "../sources/array-source.js";
import { forecast } from "./forecast.js";
import type { ForecastOutput } from "./outputs/output.js";
import { onnxFile, PackageFolder } from "./package.test-support.js";

const packages = new PackageFolder();
afterAll(() => packages.remove());

const hours = 3600;
const start = Date.UTC(2018, 0, 1) / 1000;
const grid = { kind: "latlon", lat0: 90, dlat: 90, ny: 3, lon0: 0, dlon: 90, nx: 4 };
/** Celsius, so that units count. */
const source = arraySource({
  grid: latLonGrid([90, 0, -90], [0, 90, 180, 270]),
  times: [start - 6 * hours, start],
  fields: new Map([["t2m", Float32Array.from({ length: 24 }, (_, i) => (i < 12 ? 9 : 10))]]),
  units: { t2m: "degC" },
});

/** Collects the first number of every step. */
function collector(): {
  readonly output: ForecastOutput;
  readonly values: number[];
  readonly header: Record<string, unknown>;
} {
  const values: number[] = [];
  const header: Record<string, unknown> = {};
  const output: ForecastOutput = {
    open: async (opened) => void Object.assign(header, opened),
    write: async ({ fields }) => void values.push(fields[0]![0]!),
    close: async () => undefined,
    abort: async () => undefined,
  };
  return { output, values, header };
}

async function run(uri: string) {
  const { output, values, header } = collector();
  const result = await forecast({ package: uri, source, start, steps: 3, output: [output] });
  return { values: values.map((value) => Math.round(value * 100) / 100), header, result };
}

describe("forecasts of models that are no networks of Foehn's", () => {
  it("an ONNX package: data come in its units, records name it", async () => {
    const uri = packages.write(
      "onnx",
      { name: "warmer", version: "1.2.3", architecture: "onnx", grid, in_channels_names: ["t2m"], time_step: "PT12H" },
      {
        "m.onnx": onnxFile({
          inputs: { x: ["b", 1, 3, 4] },
          outputs: { y: ["b", 1, 3, 4] },
          nodes: [["Add", ["x", "half"], ["y"]]],
          constants: [{ name: "half", values: [0.5], dims: [] }],
        }),
      },
    );
    const { values, header, result } = await run(uri);
    expect(values).toEqual([283.15, 283.65, 284.15, 284.65]);
    expect(result).toMatchObject({ variables: ["t2m"], stepSeconds: 12 * hours });
    expect(header).toMatchObject({
      variables: [{ name: "t2m", units: "K", standardName: "air_temperature" }],
      provenance: { title: "Forecast of warmer", source: "warmer 1.2.3 (onnx), Foehn", model_version: "1.2.3" },
    });
  });

  it("a package with code and a history", async () => {
    const uri = packages.write(
      "code",
      { architecture_entrypoint: "net.ts:load", grid, in_channels_names: ["t2m"], n_history: 1 },
      { "net.ts": "export const load = () => (x) => x.select(1, 1).mul(2).sub(x.select(1, 0));" },
    );
    const { values, header } = await run(uri);
    expect(values).toEqual([283.15, 284.15, 285.15, 286.15]);
    expect(header).toMatchObject({ provenance: { source: "code 0.0.0 (code), Foehn" } });
  });

  it("a model that the data cannot serve", async () => {
    const uri = packages.write(
      "other",
      { architecture: "onnx", grid, in_channels_names: ["z500"] },
      {
        "m.onnx": onnxFile({
          inputs: { x: ["b", 1, 3, 4] },
          outputs: { y: ["b", 1, 3, 4] },
          nodes: [["Identity", ["x"], ["y"]]],
        }),
      },
    );
    await expect(run(uri)).rejects.toMatchObject({ code: "data", message: expect.stringContaining("z500") });
  });
});
