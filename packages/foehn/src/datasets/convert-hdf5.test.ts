import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { latLonGrid } from "../grid/grid.js";
import { pythonLacks, runPython } from "../io/python.test-support.js";
import { hdf5Source } from "../sources/hdf5-source.js";
import { openSource } from "../sources/open.js";
import { convertFields } from "./convert.js";

const folder = mkdtempSync(join(tmpdir(), "foehn-to-hdf5-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const hour = 3600;
const grid = latLonGrid([52, 51, 50], [-1, 0, 1, 2]);
const at = (text: string) => Date.parse(`${text}:00Z`) / 1000;
// Two years, the first from its third time on, with a gap; the last time of the first year and the first of the second.
const times = ["2018-01-01T12", "2018-01-02T00", "2018-12-31T18", "2019-01-01T00", "2019-01-01T06"].map((t) => at(t));
const value = (name: number, time: number) =>
  Float32Array.from({ length: 12 }, (_, i) => 200 + name * 50 + ((time / hour) % 97) + i / 8);
const orog = Float32Array.from({ length: 12 }, (_, i) => i);
let asked: number[] = [];
const input = {
  grid,
  times,
  variables: [
    { name: "t2m", units: "K", longName: "2 metre temperature" },
    { name: "orog", units: "m", longName: "Orography", invariant: true },
    { name: "tcwv", units: "g m-2", longName: "Water vapour" },
  ],
  read: async (time: number) => {
    asked.push(time);
    return [value(0, time), value(1, time)];
  },
  readInvariant: async () => orog,
};

describe("conversion to the HDF5 layout", () => {
  it("gives a source with the same values, a constant as a channel, and NaN where there was nothing", async () => {
    const path = join(folder, "era5");
    const result = await convertFields(input, path, { format: "hdf5" });
    expect(result).toEqual({ path, times: 5, kept: 0 });
    const made = await openSource(path);
    expect(made.variables.map((v) => [v.name, v.units])).toEqual([
      ["t2m", "K"],
      ["orog", "m"],
      ["tcwv", "g m-2"],
    ]);
    expect(made.grid).toEqual(grid);
    expect(made.times[0]).toBe(at("2018-01-01T00"));
    expect(made.times).toHaveLength(365 * 4 + 2);
    for (const time of times) {
      const fields = await made.read({ time, variables: ["tcwv", "orog", "t2m"] });
      expect(fields.map((f) => f.values)).toEqual([value(1, time), orog, value(0, time)]);
    }
    const [before] = await made.read({ time: at("2018-01-01T06"), variables: ["t2m"] });
    expect([...before!.values].every(Number.isNaN)).toBe(true);
    await made.close();
    const source = await hdf5Source(path);
    const [mean] = await source.timeMeans(["t2m"]);
    const sum = times.reduce((s, time) => s + value(0, time)[3]!, 0);
    expect(mean![3]).toBeCloseTo(sum / 5, 4);
    await source.close();
  });

  it("keeps the years that were complete when it was interrupted", async () => {
    const path = join(folder, "again");
    const earlier = new AbortController();
    asked = [];
    const read = async (time: number) => {
      if (time === times[3]) earlier.abort();
      return input.read(time);
    };
    const stop = { ...input, read };
    await expect(convertFields(stop, path, { format: "hdf5", signal: earlier.signal })).rejects.toMatchObject({
      exitCode: 130,
    });
    expect(existsSync(path)).toBe(false);
    asked = [];
    const others = { ...input, variables: input.variables.slice().reverse() };
    await expect(convertFields(others, path, { format: "hdf5" })).rejects.toThrow(/again\.partial holds an unfinished/);
    await expect(convertFields(input, path, { format: "npy" })).rejects.toThrow(/again\.partial holds an unfinished/);
    const result = await convertFields(input, path, { format: "hdf5" });
    expect(existsSync(join(path, "plan.json"))).toBe(false);
    expect([result.kept, asked]).toEqual([3, [times[3], times[4]]]);
    const whole = readFileSync(join(folder, "era5/stats/time_means.npy"));
    expect(readFileSync(join(path, "stats/time_means.npy")).equals(whole)).toBe(true);
  });

  it("refuses times that the layout cannot have, and half precision", async () => {
    const odd = { ...input, times: [at("2018-01-01T01"), at("2018-01-01T07")] };
    await expect(convertFields(odd, join(folder, "odd"), { format: "hdf5" })).rejects.toThrow(
      /a time every 6h from 1 January 00:00 on; 2018-01-01 01:00 is none of them/,
    );
    await expect(convertFields(input, join(folder, "half"), { format: "hdf5", half: true })).rejects.toThrow(
      /half precision goes into .npy/,
    );
  });

  const lacks = pythonLacks("h5py", "xarray", "netCDF4");
  if (lacks) console.log(`skipped: ${lacks}`);
  it.skipIf(lacks)("is what h5py and xarray read", async () => {
    const path = join(folder, "era5");
    const printed = runPython(
      `
import h5py, json, sys, xarray as xr
root = sys.argv[1]
meta = json.load(open(root + "/data.json"))
with h5py.File(root + "/years/2019.h5") as f:
    fields = f[meta["h5_path"]]
    shape, first = list(fields.shape), fields[1, meta["coords"]["channel"].index("tcwv")].ravel().tolist()
ds = xr.open_dataset(root + "/years/2019.h5")
print(json.dumps({"shape": shape, "first": first, "dims": list(ds.fields.dims), "time": str(ds.time.values[1]), "xr": ds.fields.sel(lat=51, lon=2).values[0].tolist(), "channel": [c.decode() if isinstance(c, bytes) else str(c) for c in ds.channel.values]}))
`,
      path,
    );
    expect(printed).toEqual({
      shape: [2, 3, 3, 4],
      first: [...value(1, times[4]!)],
      dims: ["time", "channel", "lat", "lon"],
      time: "2019-01-01T06:00:00.000000000",
      xr: [value(0, times[3]!)[7], orog[7], value(1, times[3]!)[7]],
      channel: ["t2m", "orog", "tcwv"],
    });
  });
});
