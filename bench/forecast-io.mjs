// How fast a forecast reaches the disk: `foehn forecast` of a persistence package, 721×1440 points × 20 channels × 40 steps, to Zarr,
// beside a plain sequential write of as many bytes to the same disk in the same run. Wanted: at least half of the plain speed, under
// 1.5 GB resident.
//
//   node bench/forecast-io.mjs [--dir FOLDER] [--steps 40] [--rounds 3] [--output zarr|nc] [--library] [--network]
//
// A persistence package opens as a loop that repeats its initial state. With --network the same package goes through normalisation,
// network and strategy like any other model (20 channels in float32 through the engine at every step).
//
// Both sides flush to the disk (fsync) before they stop the clock. The forecast's time is that of the whole command, start-up included.
// Needs a build (`npm run build`); 7 GB of free space in FOLDER (default: the system's temporary folder).

import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const isChild = process.argv[2] === "--library-child";
const { values: args } = parseArgs({
  args: isChild ? [] : process.argv.slice(2),
  options: {
    dir: { type: "string", default: tmpdir() },
    steps: { type: "string", default: "40" },
    rounds: { type: "string", default: "3" },
    output: { type: "string", default: "zarr" },
    library: { type: "boolean", default: false },
    network: { type: "boolean", default: false },
  },
});

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = (path) => import(pathToFileURL(join(root, "packages/foehn/dist", path)).href);
const steps = Number(args.steps);
const channels = ["z", "t", "u", "v", "q"].flatMap((name) => [1000, 850, 500, 250].map((level) => `${name}${level}`));
const [ny, nx] = [721, 1440];
const start = Date.UTC(2019, 2, 1) / 1000;
const bytes = ny * nx * 4 * channels.length * (steps + 1);
const folder = isChild ? process.argv[3] : mkdtempSync(join(args.dir, "foehn-bench-"));

async function makeInputs() {
  const { fileOutput } = await dist("forecast/outputs/file-output.js");
  const { namedGrid } = await dist("grid/json.js");
  const { lookupVariable } = await dist("variables/catalogue.js");
  const variables = channels.map((name) => lookupVariable(name));
  const data = fileOutput(join(folder, "data.zarr"));
  const grid = namedGrid("721x1440");
  await data.open({
    variables,
    grid,
    initialTimes: [start],
    members: 1,
    hasMembers: false,
    leadTimes: [0],
    provenance: {},
  });
  // Noise, so that nothing on the way can compress it.
  const fields = variables.map((_, v) => Float32Array.from({ length: ny * nx }, () => v + Math.random()));
  await data.write({ initialIndex: 0, leadIndex: 0, memberIndex: 0, validTime: start, fields });
  await data.close();
  const metadata = {
    architecture: "persistence",
    grid: "721x1440",
    in_channels_names: channels,
    time_step: "PT6H",
    strategy: args.network ? "scaled_ar" : "diff_ar",
  };
  mkdirSync(join(folder, "package"));
  writeFileSync(join(folder, "package", "metadata.json"), JSON.stringify(metadata));
}

/** Seconds of writing and flushing one file of as many bytes as the forecast has. */
async function plainWrite() {
  const path = join(folder, "plain.bin");
  const block = Buffer.alloc(4 << 20, "foehn forecast i/o");
  const began = performance.now();
  const handle = await open(path, "w");
  for (let at = 0; at < bytes; at += block.length) await handle.write(block, 0, Math.min(block.length, bytes - at));
  await handle.sync();
  await handle.close();
  const seconds = (performance.now() - began) / 1000;
  rmSync(path);
  return seconds;
}

/** Seconds of the command and its largest resident size in bytes. */
function runForecast() {
  const output = join(folder, `forecast.${args.output}`);
  const command = existsSync(join(root, "packages/foehn/dist/cli/main.js")) && !args.library;
  const argv = command
    ? [
        join(root, "packages/foehn/bin/foehn.mjs"),
        "forecast",
        join(folder, "package"),
        "--data",
        join(folder, "data.zarr"),
      ]
    : [fileURLToPath(import.meta.url), "--library-child", folder, String(steps), output];
  if (command) argv.push("--steps", String(steps), "-o", output, "--overwrite");
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const child = spawn(process.execPath, argv, { stdio: ["ignore", "ignore", "pipe"] });
    let peak = 0;
    let errors = "";
    child.stderr.on("data", (text) => {
      errors += text;
    });
    const watch = setInterval(() => {
      try {
        const kilobytes = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1];
        peak = Math.max(peak, Number(kilobytes ?? 0) * 1024);
      } catch {}
    }, 20);
    child.on("exit", (code) => {
      clearInterval(watch);
      const seconds = (performance.now() - began) / 1000;
      rmSync(output, { recursive: true, force: true });
      if (code === 0) resolve({ seconds, peak });
      else reject(new Error(`the forecast failed with ${code}:\n${errors}`));
    });
  });
}

async function libraryChild([directory, count, output]) {
  const { forecast } = await dist("forecast/forecast.js");
  const source = join(directory, "data.zarr");
  await forecast({ package: join(directory, "package"), source, steps: Number(count), output, overwrite: true });
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
const rate = (seconds) => `${(bytes / seconds / 1e6).toFixed(0)} MB/s`;

if (isChild) {
  await libraryChild(process.argv.slice(3));
} else {
  try {
    await makeInputs();
    console.log(
      `${channels.length} channels × ${steps + 1} fields of ${ny}×${nx}: ${(bytes / 1e9).toFixed(2)} GB to ${folder}`,
    );
    const [plain, runs] = [[], []];
    for (let round = 0; round < Number(args.rounds); round++) {
      plain.push(await plainWrite());
      runs.push(await runForecast());
      const { seconds, peak } = runs.at(-1);
      console.log(
        `round ${round + 1}: plain write ${rate(plain.at(-1))}, forecast ${rate(seconds)} (${seconds.toFixed(2)} s), peak ${(peak / 1e9).toFixed(2)} GB`,
      );
    }
    const ratio = median(plain) / median(runs.map((run) => run.seconds));
    const peak = Math.max(...runs.map((run) => run.peak));
    console.log(`ratio to the plain write (medians): ${ratio.toFixed(2)}× (wanted ≥ 0.50)`);
    console.log(`peak resident size: ${(peak / 1e9).toFixed(2)} GB (wanted < 1.5)`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
