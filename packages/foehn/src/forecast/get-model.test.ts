import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as torch from "@foehn/torch";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { formatError } from "../core/errors.js";
import { Package } from "../hub/package.js";
import { startServer, type TestServer } from "../io/remote/server.test-support.js";
import { channelSet } from "../variables/channel-sets.js";
import { explainModel, getModel } from "./get-model.js";
import { constantState, items, npy, onnxFile, PackageFolder } from "./package.test-support.js";

const packages = new PackageFolder();
afterAll(() => packages.remove());

const start = Date.UTC(2018, 0, 1) / 1000;
const hours = 3600;
/** A small grid in place of the quarter degree. */
const grid = { kind: "latlon", lat0: 90, dlat: 90, ny: 3, lon0: 0, dlon: 90, nx: 4 };

/** The document's persistence module, in TypeScript. */
const persistenceModule = `
  export function load_persistence_module(pkg, { pretrained = true, device = "cpu" } = {}) {
    if (!pretrained) throw new Error("only pretrained");
    return (x) => x;
  }
`;

/** Runs a promise that must fail; gives the error as a user sees it. */
async function failure(promise: Promise<unknown>): Promise<{ text: string; code: string; exitCode: number }> {
  try {
    await promise;
  } catch (error) {
    const { code, exitCode } = error as { code: string; exitCode: number };
    return { text: formatError(error), code, exitCode };
  }
  throw new Error("it did not fail");
}

describe("the document of earth2mip, row by row", () => {
  it("1: integer channels are positions in a channel set, names win, and what they mean is told", async () => {
    const uri = packages.write(
      "row1",
      {
        architecture_entrypoint: "plugin.ts:load_persistence_module",
        grid,
        in_channels: [0, 1, 2],
        out_channels: [0, 1, 2],
      },
      { "plugin.ts": persistenceModule },
    );
    using model = await getModel(uri);
    expect(model.inChannelNames).toEqual(["u10m", "v10m", "t2m"]);
    expect(model.outChannelNames).toEqual(["u10m", "v10m", "t2m"]);
    expect(model.notes.join("\n")).toContain(
      "in_channels [0, 1, 2] are u10m, v10m, t2m of 34var, which is meant where",
    );
    using named = await getModel(uri, {
      metadata: {
        architecture_entrypoint: "plugin.ts:load_persistence_module",
        grid,
        in_channels: [0],
        in_channels_names: ["z500"],
      },
    });
    expect(named.inChannelNames).toEqual(["z500"]);
    expect(named.notes.join("\n")).toContain("in_channels (positions) is not looked at");
  });

  it("2: channel_set has both spellings", async () => {
    for (const [channel_set, third] of [
      ["var73", "u100m"],
      ["73var", "u100m"],
      ["26var", "t2m"],
      ["var_pangu", "z850"],
    ]) {
      const metadata = {
        architecture_entrypoint: "plugin.ts:load_persistence_module",
        grid,
        in_channels: [0, 1, 2],
        channel_set,
      };
      const uri = packages.write("row2", metadata, { "plugin.ts": persistenceModule });
      using model = await getModel(uri);
      expect(model.inChannelNames[2]).toBe(third);
    }
    const uri = packages.write("row2b", { architecture_entrypoint: "a:b", in_channels: [40], channel_set: "34var" });
    expect((await failure(getModel(uri))).text).toMatch(
      /metadata\.json:1:\d+ in_channels: 34var has the channels 0 to 33, got 40/,
    );
  });

  it("3: the stray bracket and the trailing comma are located", async () => {
    const seed = [
      "{",
      '    "architecture_entrypoint": "my_package.plugin:load_persistence_module"',
      "    },",
      '    "grid": "721x1440",',
      '    "in_channels": [0, 1, 2],',
      '    "out_channels": [0, 1, 2],',
      "}",
    ];
    const broken = await failure(getModel(packages.write("row3", seed.join("\n"))));
    expect(broken.exitCode).toBe(2);
    expect(broken.text).toContain("metadata.json:3:6: this is not JSON");
    expect(broken.text).toContain("the } at 3:5 closes the whole file, so it is probably one too many");
    const repaired = [...seed];
    repaired[1] += ",";
    repaired.splice(2, 1);
    const comma = await failure(getModel(packages.write("row3b", repaired.join("\n"))));
    expect(comma.text).toContain("metadata.json:6:1: this is not JSON: a comma before } is one too many");
  });

  it("4: file:// with two slashes does not lose a segment", async () => {
    const uri = packages.write("row4", { architecture: "persistence", grid, in_channels_names: ["t2m"] });
    using model = await getModel(`file://${uri}`);
    expect(model.name).toBe("row4");
    const lost = await failure(getModel("file://abs/path/to/persistence"));
    expect(lost.text).toContain("file:///abs/path/to/persistence");
    expect(lost.exitCode).toBe(2);
  });

  it("4b: a name is looked up in MODEL_REGISTRY", async () => {
    packages.write("by-name", { architecture: "persistence", grid, in_channels_names: ["t2m"] });
    using model = await getModel("by-name", { registry: packages.path });
    expect(model.inChannelNames).toEqual(["t2m"]);
    const typo = await failure(getModel("by-nam", { registry: packages.path }));
    expect(typo.text).toContain('Did you mean "by-name"?');
  });

  it("5: a persistence package with only metadata.json and code runs: no statistics are physical values", async () => {
    const uri = packages.write(
      "row5",
      {
        architecture_entrypoint: "my_package.plugin:load_persistence_module",
        grid,
        in_channels: [0, 1, 2],
        out_channels: [0, 1, 2],
      },
      { "my_package/plugin.ts": persistenceModule },
    );
    using model = await getModel(uri);
    using x = constantState(model, (channel) => channel + 1);
    const steps = await items(model, start, x, 3);
    expect(steps.map(({ times }) => times)).toEqual([[start], [start + 6 * hours], [start + 12 * hours]]);
    for (const { values } of steps) expect(values).toEqual([1, 2, 3].flatMap((v) => new Array(12).fill(v)));
    expect(model.notes.join()).toContain("takes and gives physical values");
  });

  it("5b: one table without the other says which is missing; zero deviations are refused", async () => {
    const metadata = { architecture_entrypoint: "plugin.ts:load_persistence_module", grid, in_channels_names: ["t2m"] };
    const one = packages.write("row5b", metadata, { "plugin.ts": persistenceModule, "global_means.npy": npy([1]) });
    expect((await failure(getModel(one))).text).toContain("has global_means.npy but not global_stds.npy");
    writeFileSync(join(one, "global_stds.npy"), npy([0]));
    expect((await failure(getModel(one))).text).toContain("statistics that cannot be divided by: t2m");
  });

  it.each([
    [
      "options",
      "export const load = (pkg, { pretrained, device }) => { globalThis.seen = [pretrained, device]; return (x) => x; };",
    ],
    [
      "positions",
      "export const load = (pkg, pretrained, device) => { globalThis.seen = [pretrained, device]; return (x) => x; };",
    ],
    [
      "two",
      "export const load = (pkg, pretrained) => { globalThis.seen = [Boolean(pretrained), 'cpu']; return (x) => x; };",
    ],
  ])("6: the device reaches the loader (%s)", async (name, code) => {
    const uri = packages.write(
      `row6-${name}`,
      { architecture_entrypoint: "plugin.js:load", grid, in_channels_names: ["t2m"] },
      { "plugin.js": code },
    );
    using _ = await getModel(uri, { device: "cpu" });
    expect((globalThis as { seen?: unknown }).seen).toEqual([true, "cpu"]);
  });

  it("8 and 9: Pangu's loaders keep their names, and no code runs", async () => {
    const names = ["load", "load_single_model", "load_6", "load_24", "load_24substep6"];
    for (const name of names) {
      const uri = packages.write(`row8-${name}`, {
        entrypoint: { name: `earth2mip.networks.pangu:${name}`, kwargs: {} },
      });
      const lines = (await explainModel(uri)).join("\n");
      expect(lines).toContain("no code of the package runs");
      expect(lines).toContain(
        {
          load: "pangu ",
          load_single_model: "pangu ",
          load_6: "pangu_6 ",
          load_24: "pangu_24 ",
          load_24substep6: "pangu ",
        }[name],
      );
    }
    const hoursOf = packages.write("row8-hours", {
      entrypoint: { name: "earth2mip.networks.pangu:load", kwargs: { time_step_hours: 6 } },
    });
    const own = packages.write("row8-own", { entrypoint: { name: "foehn:fuxi" } });
    expect((await explainModel(own)).join("\n")).toContain("Foehn's loader fuxi reads short.onnx");
    const misspelt = packages.write("row8-misspelt", { entrypoint: { name: "foehn:fuxy" } });
    expect((await failure(getModel(misspelt))).text).toContain('Did you mean "fuxi"?');
    // The kwargs reach the loader: it asks for the file of 6 h alone.
    expect((await failure(getModel(hoursOf))).text).toContain("has no pangu_weather_6.onnx");
  });

  it("10: the channels of a model are those that a data source is asked for, by name", async () => {
    const uri = packages.write("row10", {
      architecture: "persistence",
      grid,
      in_channels: [0, 6, 20],
      channel_set: "34var",
    });
    using model = await getModel(uri);
    expect(model.inChannelNames).toEqual([0, 6, 20].map((i) => channelSet("34var")[i]));
    const features = await model.initialFeatures();
    expect(features.map(({ name, units }) => [name, units])).toEqual([
      ["u10m", "m s-1"],
      ["u1000", "m s-1"],
      ["u100m", "m s-1"],
    ]);
  });

  it("11: a key that is nearly right is named", async () => {
    const uri = packages.write("row11", { archicture_entrypoint: "a:b", grid, in_channels: [0] });
    const wrong = await failure(getModel(uri));
    expect(wrong.text).toContain('archicture_entrypoint: unknown key. Did you mean "architecture_entrypoint"?');
    expect(wrong.exitCode).toBe(2);
  });

  it("12: any channels will do, not those of two sets only", async () => {
    const uri = packages.write("row12", {
      architecture: "persistence",
      grid: "s2s",
      in_channels_names: ["swvl1"],
      variables: [{ name: "swvl1", units: "m3 m-3", long_name: "Soil water" }],
    });
    using model = await getModel(uri);
    expect(model.grid.shape).toEqual([181, 360]);
    expect(await model.features()).toMatchObject([{ name: "swvl1", units: "m3 m-3" }]);
  });
});

describe("entrypoint", () => {
  const loop = `
    import * as torch from "@foehn/torch";
    import { loopOf } from "foehn";
    export function load(pkg, { device, hours = 6, step = 1 }) {
      const grid = { kind: "latlon", shape: [3, 4], latitudes: new Float64Array([90, 0, -90]), longitudes: new Float64Array([0, 90, 180, 270]), isGlobal: true };
      return {
        inChannelNames: ["t2m"], outChannelNames: ["t2m"], grid, nHistoryLevels: 1, historyTimeStep: 0, timeStep: hours * 3600, device,
        async *run(time, x) {
          let state = x.select(1, 0).clone();
          for (let t = time; ; t += hours * 3600) {
            yield { time: t, times: [t], output: state.clone(), restart: undefined };
            state = state.add(step);
          }
        },
      };
    }
    export const notALoop = () => ({ grid: 1 });
    export const fails = () => { null.x; };
  `;

  it("gives a finished loop, with its keyword arguments, from TypeScript in a folder of the package", async () => {
    const uri = packages.write(
      "loop",
      { entrypoint: { name: "models.mine:load", kwargs: { hours: 3, step: 5 } } },
      { "models/mine.ts": loop },
    );
    using model = await getModel(uri);
    expect(model).toMatchObject({ name: "loop", architecture: "code", timeStep: 3 * hours });
    using x = constantState(model, () => 1);
    expect((await items(model, start, x, 3)).map(({ values }) => values[0])).toEqual([1, 6, 11]);
  });

  it("takes precedence over architecture, and that over architecture_entrypoint", async () => {
    const all = {
      entrypoint: { name: "mine.ts:load" },
      architecture: "persistence",
      architecture_entrypoint: "mine.ts:module",
      grid,
      in_channels_names: ["t2m"],
    };
    const files = { "mine.ts": `${loop}\nexport const module = () => (x) => x.add(100);` };
    using first = await getModel(packages.write("first", all, files));
    expect(first.architecture).toBe("code");
    using second = await getModel(packages.write("second", { ...all, entrypoint: null }, files));
    expect(second.architecture).toBe("persistence");
    expect(second.notes.join()).toContain("architecture_entrypoint is not run");
    using third = await getModel(
      packages.write("third", { ...all, entrypoint: null, architecture: "sfno_73ch" }, files),
    );
    expect(third.architecture).toBe("code");
    expect(third.notes.join()).toContain('"sfno_73ch" is no network of Foehn\'s and was taken for a description');
    using x = constantState(third, () => 1);
    expect((await items(third, start, x, 2)).map(({ values }) => values[0])).toEqual([1, 101]);
  });

  it.each([
    ["sys", 'write it as "module:function"'],
    ["sys.argv", 'did you mean "sys:argv"?'],
    ["sys:argv", 'has no module "sys"'],
    ["a:b:c", 'write it as "module:function"'],
    ["../../evil.ts:load", "has no module"],
    ["mine.ts:lod", 'Did you mean "load"?'],
    ["mine.ts:notALoop", "gave no TimeLoop: it lacks run"],
    ["mine.ts:fails", "mine.ts:fails failed: Cannot read properties of null"],
    ["broken.ts:load", "does not load"],
    ["legacy:load", "legacy.py is Python"],
  ])("says what is wrong with %s", async (name, message) => {
    const uri = packages.write(
      "wrong",
      { entrypoint: { name } },
      { "mine.ts": loop, "broken.ts": "export const load = (;", "legacy.py": "def load(): pass" },
    );
    expect((await failure(getModel(uri))).text).toContain(message);
  });

  it("runs no code of a package that nobody vouched for, and says what it would have run", async () => {
    const uri = packages.write(
      "untrusted",
      { entrypoint: { name: "mine.ts:load" } },
      { "mine.ts": "globalThis.ranUntrusted = true;" },
    );
    const elsewhere = Object.assign(new Package(uri), { trusted: false, uri: "s3://bucket/untrusted" });
    const refused = await failure(getModel(elsewhere));
    expect(refused).toMatchObject({ code: "not-trusted", exitCode: 3 });
    expect(refused.text).toContain(
      'the package s3://bucket/untrusted brings code, and nobody has vouched for it: entrypoint "mine.ts:load"',
    );
    expect(refused.text).toContain("--trust");
    expect((globalThis as { ranUntrusted?: boolean }).ranUntrusted).toBeUndefined();
  });
});

describe("packages elsewhere", () => {
  let server: TestServer;
  const cache = join(packages.path, "cache");
  const options = { cache, lock: false } as const;
  beforeAll(async () => {
    const code = `import { step } from "./step.ts"; export const load = () => (x) => x.add(step);`;
    const metadata = { architecture_entrypoint: "net/mine.ts:load", grid, in_channels_names: ["t2m"] };
    const listed = { "net/mine.ts": code, "net/step.ts": "export const step = 5;" };
    const table = Object.fromEntries(
      Object.entries(listed).map(([name, text]) => [
        name,
        { sha256: createHash("sha256").update(text).digest("hex"), size: text.length },
      ]),
    );
    const onnx = onnxFile({
      inputs: { x: [1, 1, 3, 4] },
      outputs: { y: [1, 1, 3, 4] },
      nodes: [["Identity", ["x"], ["y"]]],
    });
    server = await startServer({
      "/code/metadata.json": JSON.stringify({ ...metadata, files: table }),
      "/code/net/mine.ts": code,
      "/code/net/step.ts": listed["net/step.ts"],
      "/single/metadata.json": JSON.stringify({ ...metadata, architecture_entrypoint: "mine:load" }),
      "/single/mine.ts": "export const load = () => (x) => x.add(7);",
      "/onnx/metadata.json": JSON.stringify({
        architecture: "onnx",
        weights: "m.onnx",
        grid,
        in_channels_names: ["t2m"],
      }),
      "/onnx/m.onnx": onnx,
      "/bare/metadata.json": JSON.stringify({ architecture: "persistence", grid, in_channels_names: ["t2m"] }),
    });
  });
  afterAll(() => server.close());

  it("run no code without trust, and do not even fetch it", async () => {
    const refused = await failure(getModel(`${server.url}/code`, options));
    expect(refused).toMatchObject({ code: "not-trusted", exitCode: 3 });
    expect(refused.text).toContain('architecture_entrypoint "net/mine.ts:load"');
    expect(server.seen.map(({ path }) => path)).not.toContain("/code/net/mine.ts");
    expect((await explainModel(`${server.url}/code`, options)).join("\n")).toContain(
      "nobody has vouched for it (--trust)",
    );
  });

  it("run it with trust, together with what it imports", async () => {
    using model = await getModel(`${server.url}/code`, { ...options, trust: true });
    using x = constantState(model, () => 1);
    expect((await items(model, start, x, 2)).map(({ values }) => values[0])).toEqual([1, 6]);
    // A server cannot list its files, so that the names that the entry point may mean are tried.
    using single = await getModel(`${server.url}/single`, { ...options, trust: true });
    expect((await items(single, start, x, 2)).map(({ values }) => values[0])).toEqual([1, 8]);
  });

  it("need no trust without code", async () => {
    using onnx = await getModel(`${server.url}/onnx`, options);
    expect(onnx.architecture).toBe("onnx");
    using bare = await getModel(`${server.url}/bare`, options);
    expect(bare.architecture).toBe("persistence");
  });
});

describe("architecture_entrypoint", () => {
  let uri: string;
  beforeAll(() => {
    uri = packages.write(
      "module",
      { architecture_entrypoint: "net.ts:load", grid, in_channels: [2, 4], channel_set: "26var", time_step: "PT12H" },
      {
        "net.ts": `
          import { nn } from "@foehn/torch";
          class Plus extends nn.Module { forward(x) { return x.add(1); } }
          export const load = () => new Plus();
          export const nothing = () => 7;
          export const wrongShape = () => (x) => x.narrow(1, 0, 1);
          export const nan = () => (x) => x.mul(NaN);
          export const timed = () => (x, times) => x.add(times[0] / 3600 % 24);
        `,
        // Of all 26 channels: t2m and msl are the third and the fifth.
        "global_means.npy": npy(
          Array.from({ length: 26 }, (_, i) => i * 10),
          [1, 26, 1, 1],
        ),
        "global_stds.npy": npy(
          Array.from({ length: 26 }, (_, i) => i + 1),
          [1, 26, 1, 1],
        ),
      },
    );
  });
  const other = (name: string, rest: object = {}) =>
    getModel(uri, {
      metadata: { architecture_entrypoint: `net.ts:${name}`, grid, in_channels: [2, 4], channel_set: "26var", ...rest },
    });

  it("wraps a module: tables of the whole set are taken by position", async () => {
    using model = await getModel(uri);
    expect(model.inChannelNames).toEqual(["t2m", "msl"]);
    expect(model.timeStep).toBe(12 * hours);
    using x = constantState(model, (channel) => [280, 1000][channel]!);
    // One more in normalised units is one standard deviation: 3 and 5.
    const found = (await items(model, start, x, 3)).map(({ values }) =>
      [values[0], values[12]].map((v) => Math.round(v! * 1e3) / 1e3),
    );
    expect(found).toEqual([
      [280, 1000],
      [283, 1005],
      [286, 1010],
    ]);
  });

  it("steps rows apart, and restarts bit for bit", async () => {
    using model = await getModel(uri);
    using x = constantState(model, (channel, _, row) => 100 * row + channel, 2);
    const times = [start, start + 24 * hours];
    const full = await items(model, times, x, 4);
    expect(full[3]!.times).toEqual(times.map((time) => time + 36 * hours));
    let restart: unknown;
    for await (const item of model.run(times, x)) {
      item.output.dispose();
      if (item.time === start + 12 * hours) {
        restart = item.restart;
        break;
      }
    }
    const rest: number[][] = [];
    for await (const { output } of model.run(0, undefined, restart)) {
      rest.push([...(output.toTypedArray() as Float32Array)]);
      output.dispose();
      if (rest.length === 3) break;
    }
    expect(rest).toEqual(full.slice(1).map(({ values }) => values));
    (restart as Disposable)[Symbol.dispose]();
  });

  it("gives the valid time before the step to a function of two arguments", async () => {
    using model = await other("timed", { in_channels: [2] });
    using x = constantState(model, () => 0);
    const values = (await items(model, start + 6 * hours, x, 3)).map((item) => Math.round(item.values[0]!));
    // std 3: 6 h, then 12 h later (default step 6 h).
    expect(values).toEqual([0, 18, 18 + 36]);
  });

  it("says what is wrong with what it got", async () => {
    expect((await failure(other("nothing"))).text).toContain("gave a number, not a module");
    const fails = async (name: string) => {
      using model = await other(name);
      using x = constantState(model, () => 1);
      await items(model, start, x, 2);
    };
    expect((await failure(fails("wrongShape"))).text).toContain("the model gave (1, 1, 3, 4), expected (1, 2, 3, 4)");
    expect(await failure(fails("nan"))).toMatchObject({ code: "numerical" });
    expect((await failure(other("load", { n_history: 1, in_channels: [2], out_channels: [4] }))).text).toContain(
      "inputs of the model do not come out of it",
    );
  });

  it("frees what it made", async () => {
    const before = torch.memoryStats().liveTensors;
    {
      using model = await getModel(uri);
      using x = constantState(model, () => 1);
      await items(model, start, x, 4);
    }
    expect(torch.memoryStats().liveTensors).toBe(before);
  });
});

describe("history and other outputs than inputs", () => {
  it("keeps a history with a step of its own, and diagnostics that the initial state does not have", async () => {
    const uri = packages.write(
      "history",
      {
        architecture_entrypoint: "net.ts:load",
        grid,
        n_history: 1,
        history_time_step: "PT3H",
        in_channels_names: ["t2m"],
        out_channels_names: ["tcwv", "t2m"],
        variables: undefined,
      },
      {
        "net.ts": `
          import * as torch from "@foehn/torch";
          // t2m goes on as it went: 2·new − old; tcwv is the old value.
          export const load = () => (x) => torch.cat([x.select(1, 0), x.select(1, 1).mul(2).sub(x.select(1, 0))], { dim: 1 });
        `,
      },
    );
    using model = await getModel(uri);
    expect(model).toMatchObject({ nHistoryLevels: 2, historyTimeStep: 3 * hours, outChannelNames: ["tcwv", "t2m"] });
    using x = constantState(model, (_, level) => 10 + level);
    const found = (await items(model, start, x, 4)).map(({ values }) => [values[0], values[12]]);
    expect(found).toEqual([
      [Number.NaN, 11],
      [10, 12],
      [11, 13],
      [12, 14],
    ]);
  });
});

describe("ONNX and TorchScript packages", () => {
  const plusOne = (dims: readonly (number | string)[]) =>
    onnxFile({
      inputs: { x: dims },
      outputs: { y: dims },
      nodes: [["Add", ["x", "one"], ["y"]]],
      constants: [{ name: "one", values: [1], dims: [] }],
    });

  it.each([
    ["a batch", ["batch", 2, 3, 4]],
    ["one row", [1, 2, 3, 4]],
    ["features last", ["batch", 3, 4, 2]],
  ] as const)("runs an ONNX file without trust (%s)", async (name, dims) => {
    const uri = packages.write(
      `onnx-${name}`,
      { architecture: "onnx", weights: "model.onnx", grid, in_channels_names: ["t2m", "msl"] },
      { "model.onnx": plusOne(dims), "global_means.npy": npy([1, 2]), "global_stds.npy": npy([2, 4]) },
    );
    using model = await getModel(Object.assign(new Package(uri), { trusted: false }));
    using x = constantState(model, (channel, _, row) => channel + 10 * row, 2);
    const [, second] = await items(model, start, x, 2);
    expect([0, 12, 24, 36].map((i) => second!.values[i])).toEqual([2, 5, 12, 15]);
  });

  it("finds the only ONNX file, and says when the file is for another model", async () => {
    const metadata = { architecture: "onnx", grid, in_channels_names: ["t2m"] };
    const uri = packages.write("onnx-only", metadata, { "a.onnx": plusOne(["b", 1, 3, 4]) });
    using model = await getModel(uri);
    expect(model.architecture).toBe("onnx");
    const wrong = packages.write(
      "onnx-wrong",
      { ...metadata, in_channels_names: ["t2m", "msl"] },
      { "a.onnx": plusOne(["b", 1, 3, 4]) },
    );
    expect((await failure(getModel(wrong))).text).toContain(
      "the ONNX file takes (b, 1, 3, 4), metadata.json describes (batch, 2, 3, 4)",
    );
    expect((await failure(getModel(packages.write("onnx-none", metadata)))).text).toContain("no ONNX file");
    const damaged = packages.write("onnx-damaged", metadata, { "a.onnx": "no model" });
    expect(await failure(getModel(damaged))).toMatchObject({ code: "format" });
  });

  it("runs a TorchScript archive, with the sun's angle where its config.json asks for it", async () => {
    const folder = packages.write("script", {
      architecture_entrypoint: "earth2mip.loaders:torchscript",
      grid,
      in_channels_names: ["t2m"],
    });
    class Net extends torch.nn.Module {
      override forward(x: torch.Tensor): torch.Tensor {
        return x.narrow(1, 0, 1).add(x.narrow(1, 1, 1));
      }
    }
    {
      using graph = torch.trace(new Net(), torch.randn([2, 2, 3, 4]));
      torch.jit.save(graph, join(folder, "scripted_model.pt"));
    }
    writeFileSync(join(folder, "config.json"), '{"add_zenith": true}');
    using model = await getModel(folder);
    expect(model.notes.join()).toContain("solar zenith angle");
    using x = constantState(model, () => 0);
    const noon = Date.UTC(2020, 2, 20, 12) / 1000;
    const [, second] = await items(model, noon, x, 2);
    // At the equinox at noon the sun is over (0, 0): the fifth cell.
    expect(second!.values[4]).toBeCloseTo(0.9996, 3);
    expect(second!.values[6]).toBeCloseTo(-0.9996, 3);
  });

  it("never runs a pickle", async () => {
    for (const metadata of [
      { architecture: "pickle", grid, in_channels_names: ["t2m"] },
      { architecture_entrypoint: "earth2mip.loaders:pickle", grid, in_channels_names: ["t2m"] },
    ]) {
      const refused = await failure(getModel(packages.write("pickle", metadata)));
      expect(refused.text).toContain("a pickled Python object, which is never executed");
    }
  });
});

describe("explainModel", () => {
  afterEach(() => {
    delete (globalThis as { ranExplained?: boolean }).ranExplained;
  });

  it("tells the steps and runs nothing", async () => {
    const uri = packages.write(
      "explained",
      { architecture_entrypoint: "mine.ts:load", grid, in_channels: [1] },
      { "mine.ts": "globalThis.ranExplained = true; export const load = () => (x) => x;" },
    );
    const lines = await explainModel(uri);
    expect(lines).toEqual([
      `${uri} is a folder on this machine`,
      "metadata.json was read",
      "in_channels [1] are v10m of 34var, which is meant where channel_set is not said",
      'architecture_entrypoint "mine.ts:load" decides: it gives a module, which Foehn steps',
      "code of the package would run, mine.ts:load: it may, because the package is on this machine",
    ]);
    expect((globalThis as { ranExplained?: boolean }).ranExplained).toBeUndefined();
  });

  it("knows published models by their address, and why some are not loaded", async () => {
    const lines = (await explainModel("builtin://fcn")).join("\n");
    expect(lines).toContain("hf://nvidia/fourcastnet1@c67a63995f6c8e0e557eb3d791f32f437e9b02d5");
    expect(lines).toContain("fcn.mdlus, global_means.npy, global_stds.npy");
    expect((await failure(explainModel("e2mip://graphcast"))).text).toContain("JAX");
    expect((await failure(explainModel("builtin://pangoo"))).text).toContain('Did you mean "pangu"');
  });
});
