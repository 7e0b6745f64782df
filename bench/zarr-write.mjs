// How fast 721×1440 fields of four variables become a Zarr 3 store: our writer beside zarr-python in the same run, same codec and level,
// same chunks of one field, step by step as a forecast comes, both with the disk flushed before the clock stops. Wanted: at least twice zarr-python. Then the memory of a forecast against its
// steps, dates and members: it must not grow. Processor seconds, of all threads, stand beside the wall clock: they mean something on a
// machine that others use, too.
//
//   node bench/zarr-write.mjs [--dir FOLDER] [--fields 160] [--rounds 3] [--codec none,zstd,blosc,gzip] [--shards 10] [--no-memory]
//
// PYTHON names a Python with zarr ≥ 3 (default: FOEHN_TEST_PYTHON, then python3); without one only our side is timed. Fields
// are smooth waves with noise in the last bits, as a model's are: pure noise cannot be compressed, smooth fields flatter.
// Needs a build (`npm run build`), and 4 × fields × 4 MB of free space in FOLDER.

import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const { values: args } = parseArgs({
  options: {
    dir: { type: "string", default: tmpdir() },
    fields: { type: "string", default: "160" },
    rounds: { type: "string", default: "3" },
    codec: { type: "string", default: "none,zstd,blosc,gzip" },
    shards: { type: "string", default: "10" },
    "no-memory": { type: "boolean", default: false },
  },
});

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = (path) => import(pathToFileURL(join(root, "packages/foehn/dist", path)).href);
const python = process.env.PYTHON ?? process.env.FOEHN_TEST_PYTHON ?? "python3";
const [ny, nx] = [721, 1440];
const variables = ["a", "b", "c", "d"];
const steps = Math.ceil(Number(args.fields) / variables.length);
const count = steps * variables.length;
const perShard = Number(args.shards);
const folder = mkdtempSync(join(args.dir, "foehn-zarr-"));
const bytes = count * ny * nx * 4;

/** The fields as a file, so that both sides write the same. */
function makeFields() {
  const distinct = 5;
  const values = new Float32Array(distinct * ny * nx);
  let state = 1;
  const noise = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  for (let f = 0; f < distinct; f++) {
    for (let i = 0; i < ny; i++) {
      for (let j = 0; j < nx; j++) {
        const wave = 15 * Math.sin(i / 60 + f) * Math.cos(j / 90) + 3 * Math.sin(i / 7 + j / 11);
        values[(f * ny + i) * nx + j] = 280 + wave + 0.02 * noise();
      }
    }
  }
  writeFileSync(join(folder, "fields.f32"), new Uint8Array(values.buffer));
  return Array.from({ length: distinct }, (_, f) => values.subarray(f * ny * nx, (f + 1) * ny * nx));
}

async function ours(fields, codec, isSharded) {
  const { ZarrWriter } = await dist("io/zarr/write.js");
  const path = join(folder, "ours.zarr");
  const began = performance.now();
  const cpu = process.cpuUsage();
  const writer = await ZarrWriter.create(path, { compression: codec });
  for (const name of variables) {
    await writer.declare({
      name,
      dimensions: ["time", "lat", "lon"],
      shape: [steps, ny, nx],
      chunkShape: [1, ny, nx],
      ...(isSharded ? { shardShape: [perShard, ny, nx] } : {}),
      dataType: "float32",
    });
  }
  for (let i = 0; i < steps; i++) {
    for (const [v, name] of variables.entries()) {
      await writer.writeChunk(name, [i, 0, 0], fields[(i + v) % fields.length]);
    }
  }
  await writer.close();
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const size = sizeOf(path);
  rmSync(path, { recursive: true });
  return { seconds, cpu: (user + system) / 1e6, size };
}

const script = `
import json, os, sys, time, numpy, zarr
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec
source, path, codec, count, shard = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
fields = numpy.fromfile(source, "f4").reshape(-1, ${ny}, ${nx})
compressors = {"none": None, "zstd": ZstdCodec(level=1), "gzip": GzipCodec(level=1),
  "blosc": BloscCodec(cname="lz4", clevel=5, shuffle="shuffle", typesize=4)}[codec]
began, cpu = time.perf_counter(), time.process_time()
group = zarr.open_group(path, mode="w")
arrays = [group.create_array(name, shape=(count, ${ny}, ${nx}), chunks=(1, ${ny}, ${nx}), dtype="f4", compressors=compressors,
  fill_value=float("nan"), shards=(shard, ${ny}, ${nx}) if shard else None) for name in "abcd"]
# Step by step; or a shard's steps at once, which is the only way not to write a shard many times.
step = shard or 1
for i in range(0, count, step):
    for v, a in enumerate(arrays):
        if step == 1: a[i] = fields[(i + v) % len(fields)]
        else: a[i:i + step] = numpy.stack([fields[(i + k + v) % len(fields)] for k in range(min(step, count - i))])
for folder, _, files in os.walk(path):
    for name in files:
        with open(os.path.join(folder, name), "rb") as f: os.fsync(f.fileno())
print(json.dumps([time.perf_counter() - began, time.process_time() - cpu]))
`;

function theirs(codec, isSharded) {
  const path = join(folder, "theirs.zarr");
  const argv = [
    "-c",
    script,
    join(folder, "fields.f32"),
    path,
    codec,
    String(steps),
    isSharded ? String(perShard) : "0",
  ];
  const out = execFileSync(python, argv, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  const [seconds, cpu] = JSON.parse(out);
  const size = sizeOf(path);
  rmSync(path, { recursive: true });
  return { seconds, cpu, size };
}

function sizeOf(path) {
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

function pythonProblem() {
  try {
    execFileSync(python, ["-c", "import zarr.codecs"], { stdio: "pipe" });
    return undefined;
  } catch {
    return `${python} has no zarr of version 3`;
  }
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const rate = (seconds) => `${(bytes / seconds / 1e6).toFixed(0)} MB/s`;

/** Largest resident size of a forecast of a persistence package, 2 channels. */
async function peakOf({ steps, dates, members }) {
  const argv = [join(root, "packages/foehn/bin/foehn.mjs"), "forecast", join(folder, "package")];
  argv.push("--data", join(folder, "data.zarr"), "--steps", String(steps), "-o", join(folder, "forecast.zarr"));
  argv.push(
    "--dates",
    Array.from({ length: dates }, (_, i) => `2019-03-01T${String(6 * i).padStart(2, "0")}`).join("/"),
  );
  argv.push(
    "--members",
    String(members),
    "--batch-size",
    "2",
    "--perturbation",
    "gaussian",
    "--shards",
    "ensemble=all,lead=8",
  );
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, argv, { stdio: ["ignore", "ignore", "inherit"] });
    let peak = 0;
    const watch = setInterval(() => {
      try {
        const kilobytes = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1];
        peak = Math.max(peak, Number(kilobytes ?? 0) * 1024);
      } catch {}
    }, 20);
    child.on("exit", (code) => {
      clearInterval(watch);
      rmSync(join(folder, "forecast.zarr"), { recursive: true, force: true });
      if (code === 0) resolve(peak);
      else reject(new Error(`the forecast failed with ${code}`));
    });
  });
}

async function makePackage() {
  const { fileOutput } = await dist("forecast/outputs/file-output.js");
  const { namedGrid } = await dist("grid/json.js");
  const { lookupVariable } = await dist("variables/catalogue.js");
  const variables = ["t2m", "msl"].map((name) => lookupVariable(name));
  const start = Date.UTC(2019, 2, 1) / 1000;
  const leadTimes = [0, 21600, 43200, 64800];
  const data = fileOutput(join(folder, "data.zarr"));
  const header = { variables, grid: namedGrid("721x1440"), initialTimes: [start], members: 1, hasMembers: false };
  await data.open({ ...header, leadTimes, provenance: {} });
  const fields = variables.map(() => new Float32Array(ny * nx).fill(280));
  for (const [leadIndex, lead] of leadTimes.entries()) {
    await data.write({ initialIndex: 0, memberIndex: 0, leadIndex, validTime: start + lead, fields });
  }
  await data.close();
  const metadata = {
    architecture: "persistence",
    grid: "721x1440",
    in_channels_names: ["t2m", "msl"],
    time_step: "PT6H",
  };
  mkdirSync(join(folder, "package"));
  writeFileSync(join(folder, "package", "metadata.json"), JSON.stringify(metadata));
}

try {
  const fields = makeFields();
  const problem = pythonProblem();
  if (problem) console.log(`${problem}: only our side is timed`);
  console.log(`${count} fields of ${ny}×${nx}, ${(bytes / 1e6).toFixed(0)} MB, to ${folder}`);
  for (const codec of args.codec.split(",")) {
    for (const isSharded of [false, true]) {
      const [mine, other] = [[], []];
      for (let round = 0; round < Number(args.rounds); round++) {
        mine.push(await ours(fields, codec, isSharded));
        if (!problem) other.push(theirs(codec, isSharded));
      }
      const of = (results) => {
        const [seconds, cpu] = ["seconds", "cpu"].map((key) => median(results.map((result) => result[key])));
        const text = `${rate(seconds)}, ${cpu.toFixed(2)} s of processor, ${(results[0].size / 1e6).toFixed(0)} MB on the disk`;
        return { seconds, cpu, text };
      };
      const [a, b] = [of(mine), problem ? undefined : of(other)];
      const ratio = b
        ? `; zarr-python ${b.text}; ratio ${(b.seconds / a.seconds).toFixed(2)}× (wanted ≥ 2), of processor time ${(b.cpu / a.cpu).toFixed(2)}×`
        : "";
      console.log(`${codec}${isSharded ? `, shards of ${perShard}` : ""}: ours ${a.text}${ratio}`);
    }
  }
  if (!args["no-memory"]) {
    await makePackage();
    const cases = [
      { steps: 4, dates: 1, members: 2 },
      { steps: 32, dates: 1, members: 2 },
      { steps: 4, dates: 4, members: 2 },
      { steps: 4, dates: 1, members: 16 },
    ];
    for (const one of cases) {
      const peak = await peakOf(one);
      console.log(
        `memory, ${one.steps} steps × ${one.dates} dates × ${one.members} members: ${(peak / 1e6).toFixed(0)} MB`,
      );
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
