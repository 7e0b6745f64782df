import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { configNotes, eventOf, perturbationOf, readEnsembleConfig } from "./config.js";
import { averagingSeconds, jobRun, makeJob, readJob, shardCommands } from "./job.js";
import { startOf } from "./weather-events.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-ensemble-"));
const write = (name: string, value: unknown): string => {
  const path = join(folder, name);
  writeFileSync(path, typeof value === "string" ? value : JSON.stringify(value, null, 2));
  return path;
};
const event = {
  properties: { name: "Globe", start_time: "2018-06-01T18:00:00" },
  domains: [{ name: "global", type: "Window", diagnostics: [{ type: "raw", channels: ["t2m"] }] }],
};
const minimal = { weather_model: "fcn", simulation_length: 4, weather_event: event };

describe("an ensemble's configuration", () => {
  it("has earth2mip's defaults", () => {
    const config = readEnsembleConfig(write("minimal.json", minimal));
    expect(config).toMatchObject({
      ensemble_members: 1,
      ensemble_batch_size: 1,
      seed: 1,
      output_frequency: 1,
      perturbation_strategy: "correlated",
      noise_amplitude: 0.05,
      noise_reddening: 2,
      grf_noise_alpha: 2,
      grf_noise_sigma: 5,
      grf_noise_tau: 2,
    });
    expect(startOf(eventOf(config))).toBe(Date.UTC(2018, 5, 1, 18) / 1000);
    expect(configNotes(config)).toEqual([]);
    expect(perturbationOf(config).description).toBe("correlated, reddening 2, 0.05 standard deviations, seed 1");
  });

  it("may be JSON text, and flags go over it", () => {
    const config = readEnsembleConfig(JSON.stringify(minimal), { weather_model: "pangu", seed: undefined });
    expect(config.weather_model).toBe("pangu");
    expect(config.seed).toBe(1);
    expect(readEnsembleConfig(write("flag.json", minimal), { weather_model: "x" }).weather_model).toBe("x");
    expect(() => readEnsembleConfig('{"weather_model": "x",}')).toThrow(
      /the configuration:1:23: this is not JSON: a comma before }/,
    );
  });

  it("takes keys of older versions with a note", () => {
    const config = readEnsembleConfig(
      JSON.stringify({
        ...minimal,
        use_cuda_graphs: false,
        autocast_fp16: true,
        ic_perturbed_channels: ["t2m"],
        perturbation_strategy: "gaussian",
      }),
    );
    expect(configNotes(config).join("\n")).toMatch(
      /use_cuda_graphs has no effect\nautocast_fp16.*\nic_perturbed_channels is read/,
    );
    expect(perturbationOf(config).description).toMatch(/of t2m/);
    const all = readEnsembleConfig(JSON.stringify({ ...minimal, ic_perturbed_channels: ["all_channels"] }));
    expect(perturbationOf(all).description).not.toMatch(/ of /);
  });

  it("is refused with places and the nearest keys", () => {
    const path = write("bad.json", {
      ...minimal,
      simulation_lenght: 3,
      ensemble_members: 0,
      perturbation_strategy: "correlate",
      output_grid: "721x144",
    });
    let message = "";
    try {
      readEnsembleConfig(path);
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toMatch(/bad\.json:\d+:\d+ simulation_lenght: unknown key\. Did you mean "simulation_length"\?/);
    expect(message).toMatch(/ensemble_members: expected a number of more than 0, got 0/);
    expect(message).toMatch(/got "correlate"\. Did you mean "correlated"\?/);
    expect(message).toMatch(/got "721x144"\. Did you mean "721x1440"/);
    const both = { ...minimal, forecast_name: "x", output_dir: "a", output_path: "b", perturbation_strategy: "lagged" };
    expect(() => readEnsembleConfig(JSON.stringify(both))).toThrow(
      /3 problems[\s\S]*keep one of them[\s\S]*needs the lags/,
    );
    const none = readEnsembleConfig(JSON.stringify({ weather_model: "x", simulation_length: 1 }));
    expect(() => eventOf(none)).toThrow(/neither weather_event nor forecast_name/);
  });

  it("finds its event by name", () => {
    const events = write("weather_events.json", { Globe: event });
    const config = readEnsembleConfig(
      JSON.stringify({ weather_model: "x", simulation_length: 1, forecast_name: "Globe" }),
    );
    expect(eventOf(config, events).properties.name).toBe("Globe");
  });
});

describe("a job", () => {
  const protocol = {
    inference_template: { ...minimal, weather_model: "?", output_path: "ignored" },
    times: "s2s_test",
  };

  it("writes its times out and reads them back", async () => {
    const job = await makeJob("fcn", write("protocol.json", protocol), join(folder, "job"));
    expect(job.times.length).toBe(53);
    const written = JSON.parse(readFileSync(join(folder, "job", "config.json"), "utf8"));
    expect(written.model).toBe("fcn");
    expect(written.protocol.times.slice(0, 2)).toEqual(["2020-01-02T00:00:00", "2020-01-09T00:00:00"]);
    expect(written.protocol.times.at(-1)).toBe("2020-12-31T00:00:00");
    const read = readJob(join(folder, "job"));
    expect(read.times).toEqual(job.times);
    const run = jobRun(read, read.times[1]!);
    expect(run.weather_model).toBe("fcn");
    expect(run.output_path).toBeUndefined();
    expect(startOf(eventOf(run))).toBe(Date.UTC(2020, 0, 9) / 1000);
    await expect(makeJob("fcn", join(folder, "protocol.json"), join(folder, "job"))).rejects.toThrow(/exists/);
    expect(shardCommands("job", 2, "--data era5")).toEqual([
      "foehn ensemble --job job --shard 0 --n-shards 2 --data era5",
      "foehn ensemble --job job --shard 1 --n-shards 2 --data era5",
    ]);
  });

  it("knows the year 2018, lists and ranges", async () => {
    const of = async (times: unknown) =>
      (await makeJob("m", write("p.json", { ...protocol, times }), join(folder, `job-${JSON.stringify(times).length}`)))
        .times;
    const year = await of(2018);
    expect(year.length).toBe(728);
    expect(year.at(-1)).toBe(Date.UTC(2018, 11, 30, 12) / 1000);
    expect(await of(["2018-01-02T00:00:00", "2018-01-01T00:00:00"])).toEqual(
      [0, 1].map((d) => Date.UTC(2018, 0, 1 + d) / 1000),
    );
    expect(await of("2018-01-01/to/2018-01-02/by/12h")).toHaveLength(3);
    await expect(of("s2s_calibration")).rejects.toThrow(/never published/);
  });

  it("says what is wrong with its template before anything runs", async () => {
    const bad = { ...protocol, inference_template: { ...minimal, sed: 3 } };
    await expect(makeJob("m", write("bad-p.json", bad), join(folder, "bad-job"))).rejects.toThrow(
      /sed: unknown key\. Did you mean "seed"/,
    );
    const window = { ...protocol, time_averaging_window: "fortnight" };
    await expect(makeJob("m", write("bad-w.json", window), join(folder, "bad-w"))).rejects.toThrow(/not a duration/);
    expect(averagingSeconds("2W")).toBe(14 * 86_400);
    expect(averagingSeconds("14D")).toBe(14 * 86_400);
    expect(averagingSeconds("12h")).toBe(43_200);
  });
});
