// A regional model with a diagnostic variable, from training data to scores through the command line: what goes in, what comes out,
// what lies outside of the region, and where values are missing.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FileOutputOptions, fileOutput } from "../forecast/outputs/file-output.js";
import { latLonGrid } from "../grid/grid.js";
import { openSource } from "../sources/open.js";
import { runHere } from "./process.test-support.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-regional-"));
const at = (name: string): string => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const size = 16;
const grid = latLonGrid(
  Array.from({ length: size }, (_, i) => 55 - i / 2),
  Array.from({ length: size }, (_, i) => i / 2),
);
const start = Date.UTC(2020, 0, 1) / 1000;
const hour = 3600;

/** Two waves that travel eastwards, and rain that falls where the first one stands high: a function of this hour's state. */
function value(name: string, time: number, point: number): number {
  const hours = (time - start) / hour;
  const [row, column] = [Math.floor(point / size), point % size];
  const wave = Math.sin((2 * Math.PI * (column - 2 * hours)) / size) * Math.cos((Math.PI * row) / size);
  if (name === "t2m") return 280 + 6 * wave;
  if (name === "coarse_t2m") return 280 + 5 * wave;
  if (name === "msl") return 1e5 + 900 * Math.sin((2 * Math.PI * (column - hours)) / size);
  return 0.001 * Math.exp(wave);
}

const units: Record<string, string> = { t2m: "K", coarse_t2m: "K", msl: "Pa", tp: "m" };

interface Data {
  readonly variables: readonly string[];
  readonly count: number;
  readonly every?: number;
  readonly isMissing?: (name: string, time: number, point: number) => boolean;
}

async function write(name: string, { variables, count, every = 1, isMissing }: Data): Promise<string> {
  const output = fileOutput(at(name), {} as FileOutputOptions);
  const times = Array.from({ length: count }, (_, i) => start + i * every * hour);
  await output.open({
    variables: variables.map((variable) => ({ name: variable, units: units[variable]!, longName: variable })),
    grid,
    initialTimes: [start],
    members: 1,
    hasMembers: false,
    leadTimes: times.map((time) => time - start),
    provenance: {},
  });
  for (const [leadIndex, validTime] of times.entries()) {
    const fields = variables.map((variable) =>
      Float32Array.from({ length: size * size }, (_, n) =>
        isMissing?.(variable, validTime, n) ? Number.NaN : value(variable, validTime, n),
      ),
    );
    await output.write({ initialIndex: 0, leadIndex, memberIndex: 0, validTime, fields });
  }
  await output.close();
  return at(name);
}

/** Runs a command that must succeed. @returns its JSON result */
async function json<T>(...argv: string[]): Promise<T> {
  const { status, stdout, stderr } = await runHere(...argv, "--json");
  expect(stderr.replace(/^\{"event".*\n/gm, "")).toBe("");
  expect(status).toBe(0);
  return JSON.parse(stdout) as T;
}

const failing = async (...argv: string[]) => {
  const { status, stderr } = await runHere(...argv);
  return { status, stderr };
};

interface Scores {
  readonly model: { readonly rmse: Record<string, number[]> };
  readonly persistence: { readonly rmse: Record<string, number[]> };
}

const training = (...options: string[]) => [
  ...[
    "train",
    "--dataset",
    "gridded",
    "--model-settings",
    "num_filters=4",
    "--precision",
    "fp32",
    "--threads",
    "1",
    "--lr",
    "0.01",
  ],
  ...[
    "--batch-size",
    "4",
    "--num-pred-steps-val-test",
    "2",
    "--observers",
    "none",
    "--runs-dir",
    at("runs"),
    ...options,
  ],
];

beforeAll(async () => {
  await write("train.nc", { variables: ["t2m", "msl", "tp"], count: 72 });
  await write("initial.nc", { variables: ["t2m", "msl"], count: 72 });
  await write("border.nc", { variables: ["t2m", "msl"], count: 25, every: 3 });
  const variables = "variables: {t2m: {}, msl: {}, tp: {role: diagnostic}}";
  writeFileSync(
    at("dataset.yaml"),
    `source: train.nc\n${variables}\nborder_size: 2\nforcings: {date: false, insolation: false}\n`,
  );
});

describe("a regional model with a diagnostic variable", () => {
  beforeAll(async () => {
    await json(
      ...training("--dataset-conf", at("dataset.yaml"), "--strategy", "scaled_ar", "--epochs", "6"),
      ...["--num-pred-steps-schedule", "0:1,5:2", "--checkpoint-steps", "-o", at("model")],
    );
  }, 90_000);

  it("is packaged with what goes in and what comes out", () => {
    const manifest = JSON.parse(readFileSync(at("model/metadata.json"), "utf8"));
    expect(manifest).toMatchObject({
      in_channels_names: ["t2m", "msl"],
      out_channels_names: ["t2m", "msl", "tp"],
      strategy: "scaled_ar",
      strategy_settings: {},
      border_size: 2,
      mask_as_input: false,
    });
  });

  it("forecasts from the prognostic variables alone, with a border that is interpolated in time", async () => {
    const common = ["forecast", at("model"), "--data", at("initial.nc"), "--start", "2020-01-03", "-n", "6"];
    const { stderr } = await runHere(...common, "-o", at("f.nc"), "--border-data", at("border.nc"));
    expect(stderr).toContain("border data every 3h: interpolated linearly in time to the model's 1h");
    const [forecast, border] = [await openSource(at("f.nc")), await openSource(at("border.nc"))];
    expect(forecast.variables.map((variable) => variable.name).sort()).toEqual(["msl", "t2m", "tp"]);
    const fields = async (source: typeof forecast, hours: number, ...names: string[]) =>
      (await source.read({ time: start + (48 + hours) * hour, variables: names })).map((field) => field.values);
    const [t2m, tp] = await fields(forecast, 4, "t2m", "tp");
    const [[before], [after]] = [await fields(border, 3, "t2m"), await fields(border, 6, "t2m")];
    const corner = (2 * before![0]! + after![0]!) / 3;
    expect(t2m![0]).toBeCloseTo(corner, 3);
    expect(tp!.every((amount) => amount > -0.01 && amount < 0.01)).toBe(true);
    const [, nothing] = await fields(forecast, 0, "t2m", "tp");
    expect(nothing!.every(Number.isNaN)).toBe(true);
    await Promise.all([forecast.close(), border.close()]);

    expect(await runHere(...common, "-o", at("free.nc"))).toMatchObject({
      status: 0,
      stderr: expect.stringContaining("known border of 2 cells; without border data it is the model's own"),
    });
    expect(await failing(...common, "-o", at("no.nc"), "--border-data", at("short.nc"))).toMatchObject({ status: 1 });
  });

  it("is scored with all its variables, the border from elsewhere", async () => {
    const scores = await json<Scores>(
      ...["score", at("model"), "--data", at("train.nc"), "--border-data", at("border.nc"), "-n", "2"],
      ...["--dates", "2020-01-03T00/to/2020-01-03T12/by/3h"],
    );
    for (const name of ["t2m", "tp"]) {
      expect(
        scores.persistence.rmse[name]!.every((rmse) => rmse > 0),
        name,
      ).toBe(true);
      expect(scores.model.rmse[name]![0], name).toBeLessThan(scores.persistence.rmse[name]![0]!);
    }
  });

  it("says what the border data lack", async () => {
    await write("one.nc", { variables: ["t2m"], count: 25, every: 3 });
    const common = ["forecast", at("model"), "--data", at("initial.nc"), "-n", "6", "-o", at("no.nc")];
    const missing = await failing(...common, "--start", "2020-01-03", "--border-data", at("one.nc"));
    expect(missing).toMatchObject({ status: 1, stderr: expect.stringContaining('there is no variable "msl"') });
    const late = await failing(...common, "--start", "2020-01-03T23", "--border-data", at("border.nc"));
    expect(late).toMatchObject({ status: 1, stderr: expect.stringMatching(/border data lack 2020-01-04T01:00:00Z/) });
  });
});

describe("other ways to train", () => {
  it("downscales: from a coarse forecast alone, without an initial state", async () => {
    await write("coarse.nc", { variables: ["t2m", "coarse_t2m"], count: 48 });
    await write("coarse-only.nc", { variables: ["coarse_t2m"], count: 72 });
    const config =
      "source: coarse.nc\nvariables: {t2m: {}, coarse_t2m: {role: forcing}}\nforcings: {date: false, insolation: false}\n";
    writeFileSync(at("downscaling.yaml"), config);
    const options = ["--dataset-conf", at("downscaling.yaml"), "--strategy", "downscaling_only", "--epochs", "2"];
    await json(...training(...options, "-o", at("downscaling")));
    await json(
      ...["forecast", at("downscaling"), "--data", at("coarse-only.nc"), "--start", "2020-01-03", "-n", "3"],
      ...["-o", at("downscaled.nc")],
    );
    const wrong = ["--strategy-settings", 'common_features={"t2m":"coarse"}'];
    expect(await failing(...training(...options, ...wrong))).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/no forcing "coarse"[\s\S]*Did you mean "coarse_t2m"/),
    });
    expect(await failing(...training(...options, "--num-inter-steps", "2", "--num-input-steps", "1"))).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("downscaling_only has no intermediary steps"),
    });
    expect(await failing(...training("--strategy", "downscaling"))).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('Did you mean "downscaling_only"?'),
    });
  }, 60_000);

  it("calls the network several times a step, with forcing and border in between", async () => {
    const config =
      "source: train.nc\nvariables: {t2m: {}, msl: {}}\nborder_size: 2\nforcings: {date: true, insolation: true}\n";
    writeFileSync(at("forced.yaml"), config);
    const options = ["--dataset-conf", at("forced.yaml"), "--strategy", "scaled_ar", "--epochs", "1"];
    const substeps = ["--num-inter-steps", "2", "--num-input-steps", "1", "--mask-ratio", "0.2", "--batch-size", "5"];
    await json(...training(...options, ...substeps, "-o", at("substeps")));
    const common = ["--data", at("initial.nc"), "--border-data", at("border.nc"), "-n", "3", "--start", "2020-01-03"];
    await json("forecast", at("substeps"), ...common, "-o", at("substeps.nc"));
    const like = ["--strategy-settings", "compat=py4cast"];
    await json(...training(...options, ...substeps, ...like, "-o", at("py4cast")));
    expect(JSON.parse(readFileSync(at("py4cast/metadata.json"), "utf8"))).toMatchObject({
      num_inter_steps: 2,
      strategy_settings: { compat: "py4cast" },
    });
    expect(await failing(...training(...options, "--num-inter-steps", "2"))).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("num_inter_steps 2 does not go with num_input_steps 2"),
    });
    expect(await failing(...training(...options, "--num-pred-steps-schedule", "0-1"))).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('expected pairs epoch:steps separated by commas, such as 0:1,5:2, got "0-1"'),
    });
  }, 60_000);

  it("tells the network where values are missing, and forecasts from fields with gaps", async () => {
    const isMissing = (name: string, time: number, point: number) =>
      name === "t2m" && (point + time / hour) % 5 === 0 && point % 16 < 6;
    await write("gaps.nc", { variables: ["t2m", "msl"], count: 48, isMissing });
    writeFileSync(at("gaps.yaml"), "source: gaps.nc\nforcings: {date: false, insolation: false}\n");
    const options = ["--dataset-conf", at("gaps.yaml"), "--epochs", "1", "--on-nan", "mask"];
    await json(...training(...options, "-o", at("masked")));
    expect(JSON.parse(readFileSync(at("masked/metadata.json"), "utf8"))).toMatchObject({ mask_as_input: true });
    const from = (model: string, output: string) =>
      runHere("forecast", at(model), "--data", at("gaps.nc"), "-n", "2", "-o", at(output));
    expect(await from("masked", "masked.nc")).toMatchObject({ status: 0 });
    await json(...training(...options, "--no-mask-as-input", "-o", at("unmasked")));
    expect(await from("unmasked", "unmasked.nc")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("missing values"),
    });
    expect(await failing(...training("--dataset-conf", at("dataset.yaml"), "--mask-as-input"))).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("mask_as_input needs on_nan mask"),
    });
  }, 60_000);
});
