import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { formatError } from "../core/errors.js";
import { golden } from "../io/golden.test-support.js";
import { pythonLacks, runPython } from "../io/python.test-support.js";
import { hdf5Source } from "./hdf5-source.js";
import { openSource } from "./open.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-hdf5-"));
afterAll(() => rmSync(folder, { recursive: true }));
const layout = golden("sources/hdf5-layout");
const day = 86_400;
const at = (year: number, k: number): number => Date.UTC(year, 0, 1) / 1000 + k * day;
/** As make_hdf5_layout.py makes them. */
const truth = (year: number, k: number, channel: number): number[] =>
  [60, 30, 0].flatMap((lat) =>
    [0, 90, 180, 270].map((lon) => (year - 2000) * 512 + k + channel * 0.25 + lat / 128 + lon / 1024),
  );
const failure = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error) => formatError(error),
  );
const copy = (name: string, change: (description: Record<string, unknown>) => void = () => {}): string => {
  const root = join(folder, name);
  cpSync(layout, root, { recursive: true });
  const description = JSON.parse(readFileSync(join(root, "data.json"), "utf8")) as Record<string, unknown>;
  change(description);
  writeFileSync(join(root, "data.json"), JSON.stringify(description));
  return root;
};

describe("hdf5Source", () => {
  it("is what openSource makes of a folder with data.json and files of years", async () => {
    const source = await openSource(layout);
    expect(source.description).toMatch(/^HDF5 .*: u10m, t2m, z500, tcwv; the years 2015, 2016, 2018 by 1d/);
    expect(source.description).toContain("leap years without 31 December: 2016");
    expect(source.times).toHaveLength(365 + 365 + 20);
    expect(source.times[364]).toBe(at(2015, 364));
    expect(source.times[365]).toBe(at(2016, 0));
    expect(source.grid.shape).toEqual([3, 4]);
    expect(source.variables[2]).toMatchObject({ name: "z500", units: "m2 s-2", longName: "Geopotential at 500 hPa" });
    await source.close();
  });

  it("gives channels in the order asked, across chunks, and fills arrays", async () => {
    const source = await hdf5Source(layout);
    for (const year of [2015, 2016, 2018]) {
      const into = [0, 1, 2].map(() => new Float32Array(12));
      const fields = await source.read({ time: at(year, 11), variables: ["tcwv", "u10m", "z500"], into });
      expect(fields.map((f) => f.variable)).toEqual(["tcwv", "u10m", "z500"]);
      expect(fields.map((f) => [...f.values])).toEqual([3, 0, 2].map((c) => truth(year, 11, c)));
      expect(fields[1]!.values).toBe(into[1]);
    }
    const [twice, again] = await source.read({ time: at(2015, 0), variables: ["t2m", "2t"] });
    expect(twice!.values).toEqual(again!.values);
    const [height] = await source.read({ time: at(2015, 0), variables: ["gh500"] });
    expect(height!.values[0]).toBeCloseTo(truth(2015, 0, 2)[0]! / 9.80665, 3);
    await source.close();
  });

  it("serves many readers at once over more years than stay open", async () => {
    const root = join(folder, "decades");
    mkdirSync(join(root, "train"), { recursive: true });
    cpSync(join(layout, "data.json"), join(root, "data.json"));
    const file = join(layout, "out_of_sample/2018.h5");
    for (let year = 1979; year <= 1999; year++) cpSync(file, join(root, `train/${year}.h5`));
    const source = await hdf5Source(root);
    expect(source.times).toHaveLength(21 * 20);
    const all = await Promise.all(source.times.map((time) => source.read({ time, variables: ["t2m"] })));
    expect(all.map(([f]) => f!.values[0])).toEqual(source.times.map((_, i) => truth(2018, i % 20, 1)[0]));
    await source.close();
    expect(await failure(source.read({ time: at(1979, 0), variables: ["t2m"] }))).toMatch(/the source is closed/);
  });

  it("explains what is not there", async () => {
    const source = await hdf5Source(layout);
    const read = (time: number, ...variables: string[]) => failure(source.read({ time, variables }));
    expect(await read(at(2015, 0), "t2m", "u10n")).toMatch(/no variable "u10n"[\s\S]*Did you mean "u10m"/);
    // 10 hPa is not 10 m, and is not dropped silently.
    expect(await read(at(2015, 0), "u500")).toMatch(/no variable "u500"[\s\S]*It has: u10m, t2m, z500, tcwv/);
    expect(await read(at(2040, 0), "t2m")).toMatch(
      /no data for the year 2040: no file 2040.h5[\s\S]*the years 2015, 2016, 2018; the nearest is 2018/,
    );
    expect(await read(at(2016, 365), "t2m")).toMatch(/no data for 2016-12-31[\s\S]*nearest is 2016-12-30/);
    expect(await read(at(2015, 0) + 3600, "t2m")).toMatch(/no data for 2015-01-01 01:00/);
    await source.close();
  });

  it("gives the time means", async () => {
    const source = await hdf5Source(layout);
    const [z, u] = await source.timeMeans(["z500", "u10m"]);
    expect([...z!]).toEqual(truth(2015, 182, 2));
    expect([...u!]).toEqual(truth(2015, 182, 0));
    const bare = copy("bare");
    rmSync(join(bare, "stats"), { recursive: true });
    expect(await failure((await hdf5Source(bare)).timeMeans(["t2m"]))).toMatch(/no time means[\s\S]*time_means.npy/);
    await source.close();
  });

  it("turns a southward-first axis round and keeps units that data.json names", async () => {
    const root = copy("flipped", (d) => {
      (d.coords as { lat: number[] }).lat.reverse();
      d.attrs = { units: { tcwv: "g m-2" } };
    });
    const source = await hdf5Source(root);
    expect([...source.grid.latitudes]).toEqual([60, 30, 0]);
    expect(source.variables[3]!.units).toBe("g m-2");
    const [field] = await source.read({ time: at(2018, 3), variables: ["tcwv"] });
    const stored = truth(2018, 3, 3);
    expect([...field!.values]).toEqual([...stored.slice(8), ...stored.slice(4, 8), ...stored.slice(0, 4)]);
    await source.close();
  });

  it("refuses descriptions that do not fit", async () => {
    const broken = (name: string, change: (d: Record<string, unknown>) => void) =>
      failure(hdf5Source(copy(name, change)));
    expect(
      await broken("dims", (d) => {
        d.dims = ["time", "lat", "lon", "channel"];
      }),
    ).toMatch(/the axes are \(time, lat, lon, channel\), expected/);
    expect(
      await broken("path", (d) => {
        d.h5_path = "field";
      }),
    ).toMatch(/no dataset "field"[\s\S]*it has fields/);
    expect(
      await broken("keys", (d) => {
        delete d.h5_path;
      }),
    ).toMatch(/data\.json.* h5_path: /);
    expect(
      await broken("shape", (d) => {
        (d.coords as { channel: string[] }).channel.pop();
      }),
    ).toMatch(/shape \(365, 4, 3, 4\), but data.json describes \(time, 3, 3, 4\)/);
    expect(
      await broken("hours", (d) => {
        d.dhours = 48;
      }),
    ).toMatch(/365 times, but 2015 has room for 183 of 48 h[\s\S]*dhours/);
    const twice = copy("twice");
    cpSync(join(twice, "train/2015.h5"), join(twice, "out_of_sample/2015.h5"));
    expect(await failure(hdf5Source(twice))).toMatch(/year 2015 is there twice/);
    const damaged = copy("damaged");
    writeFileSync(join(damaged, "train/2016.h5"), readFileSync(join(layout, "train/2016.h5")).subarray(0, 9000));
    expect(await failure(hdf5Source(damaged))).toMatch(/cut short: it should have/);
  });

  const lacks = pythonLacks("h5py");
  if (lacks) console.log(`skipped: ${lacks}`);
  it.skipIf(lacks)("reads one time of a file of 3 GB without loading it", async () => {
    const root = join(folder, "large");
    runPython(
      `
import h5py, json, os, sys, numpy as np
root = sys.argv[1]; os.makedirs(root + "/train")
lat = np.linspace(90, -90, 361); lon = np.arange(720) * 0.5
with h5py.File(root + "/train/2017.h5", "w") as f:
    space = h5py.h5s.create_simple((730, 4, 361, 720))
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY); plist.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    h5py.h5d.create(f.id, b"fields", h5py.h5t.IEEE_F32LE, space, plist)
    f["fields"][700, 2] = np.arange(361 * 720).reshape(361, 720)
json.dump({"h5_path": "fields", "dims": ["time", "channel", "lat", "lon"], "dhours": 12,
  "coords": {"channel": ["t2m", "u10m", "v10m", "sp"], "lat": lat.tolist(), "lon": lon.tolist()}}, open(root + "/data.json", "w"))
print(os.path.getsize(root + "/train/2017.h5"))
`,
      root,
    );
    const before = process.memoryUsage().rss;
    const source = await openSource(root);
    const [field] = await source.read({ time: at(2017, 350), variables: ["v10m"] });
    expect(field!.values[361 * 720 - 1]).toBe(361 * 720 - 1);
    expect(process.memoryUsage().rss - before).toBeLessThan(200e6);
    await source.close();
  });
});
