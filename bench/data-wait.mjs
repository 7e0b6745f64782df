// How long a training step waits for its data, on Titan-shaped .npy files: 21 predicted fields and 16 forcings of 512×640, one file per
// field and hour, as py4cast prepares them. Run it alone on a quiet machine: node bench/data-wait.mjs [--batch n] [--steps n] [--hours n]
// Makes a temporary tree (49 MB per hour), trains a HalfUNet (64 filters) on it in the default precision with 0, 1 and 2 reading threads in
// turn, and prints the wait as a part of the step; and how long reading a batch takes here and in Python the way py4cast does it.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import * as torch from "@foehn/torch";
import { batches } from "../packages/foehn/dist/datasets/batches.js";
import { disposeBatch } from "../packages/foehn/dist/datasets/item.js";
import { openDataset } from "../packages/foehn/dist/datasets/registry.js";
import { createNetwork } from "../packages/foehn/dist/models/registry.js";
import { titanFolder } from "../packages/foehn/dist/sources/titan/titan-source.js";
import { resolvePrecision, withPrecision } from "../packages/foehn/dist/training/precision.js";
import { useThreads } from "../packages/foehn/dist/training/threads.js";

const { values: flags } = parseArgs({
  options: {
    batch: { type: "string", default: "2" },
    steps: { type: "string", default: "5" },
    hours: { type: "string", default: "24" },
    keep: { type: "string" },
  },
});
const [batchSize, steps, hours] = [flags.batch, flags.steps, flags.hours].map(Number);
const [NY, NX] = [512, 640];
const levels = [250, 500, 700, 850];
const surface = { aro_t2m: 2, aro_r2: 2, aro_tp: 0, aro_u10: 10, aro_v10: 10 };
const files = [
  ...Object.entries(surface).map(([name, level]) => `${name}_${level}m`),
  ...["aro_t", "aro_u", "aro_v", "aro_z", "arp_t", "arp_u", "arp_v", "arp_z"].flatMap((name) =>
    levels.map((level) => `${name}_${level}hpa`),
  ),
];
const root = flags.keep ?? mkdtempSync(join(tmpdir(), "foehn-data-wait-"));
const data = join(root, "subdatasets", "titan_bench_PAAROME_1S40_100-612-240-880", "data");
const first = Date.UTC(2023, 0, 1) / 1000;

function makeTree() {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${NY}, ${NX}), }`.padEnd(117);
  const head = Buffer.from(`\x93NUMPY\x01\x00\x76\x00${header}\n`, "latin1");
  const values = new Float32Array(NY * NX);
  for (let n = 0; n < values.length; n++)
    values[n] = Math.sin(n * 12.9898) * 43758.5453 - Math.floor(Math.sin(n * 12.9898) * 43758.5453);
  for (let hour = 0; hour < hours; hour++) {
    const folder = join(data, titanFolder(first + 3600 * hour));
    mkdirSync(folder, { recursive: true });
    for (const [f, file] of files.entries()) {
      const turn = (hour * 37 + f) % NY;
      const rows = [values.subarray(turn * NX), values.subarray(0, turn * NX)];
      const bytes = rows.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength));
      writeFileSync(join(folder, `${file}.npy`), Buffer.concat([head, ...bytes]));
    }
  }
}

/** Hours of the training period; the last ones are for validation and test, which need four each. */
const trainHours = hours - 8;
const iso = (hour) => new Date((first + 3600 * hour) * 1000).toISOString();
const configPath = join(root, "titan.yaml");

function makeConfig() {
  const parameters = [
    ...Object.keys(surface).map((name) => `  ${name}: {}`),
    ...["t", "u", "v", "z"].map((name) => `  aro_${name}: { levels: [${levels}] }`),
    ...["t", "u", "v", "z"].map((name) => `  arp_${name}: { levels: [${levels}], role: forcing }`),
  ];
  const period = (from, to) => `{ start: "${iso(from)}", end: "${iso(to)}" }`;
  writeFileSync(
    configPath,
    `format: npy
folder: ${data.slice(root.length + 1)}
root: .
rows: [105, 617]
columns: [240, 880]
memory_limit_gb: 0.1
periods:
  train: ${period(0, trainHours - 1)}
  valid: ${period(trainHours, trainHours + 3)}
  test: ${period(trainHours + 4, hours - 1)}
parameters:
${parameters.join("\n")}
`,
  );
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const ms = (seconds) => `${(1000 * seconds).toFixed(0)} ms`;
const open = (numWorkers) =>
  openDataset("titan", {
    numInputSteps: 1,
    numPredStepsTrain: 1,
    numPredStepsValTest: 1,
    confPath: configPath,
    cacheDir: join(root, "cache"),
    numWorkers,
  });

async function train(splits, network, optimizer, precision, count) {
  const waits = [];
  const times = [];
  const stats = torch.tensor(splits.info.statics.fields, { shape: [NY, NX, splits.info.statics.names.length] });
  let last = performance.now();
  for await (const batch of batches(splits.train, { batchSize, shuffleSeed: 1, limit: count })) {
    torch.scope(() => {
      optimizer.zeroGrad();
      const statics = stats.unsqueeze(0).expand([batchSize, -1, -1, -1]);
      const x = torch.cat([batch.inputs.tensor.select(1, 0), statics, batch.forcing.tensor.select(1, 0)], { dim: -1 });
      const y = withPrecision(precision, "cpu", () => network.forward(x)).to("float32");
      y.sub(batch.outputs.tensor.select(1, 0)).square().mean().backward();
      optimizer.step();
    });
    disposeBatch(batch);
    await new Promise(setImmediate);
    const now = performance.now();
    waits.push(batch.waitSeconds);
    times.push((now - last) / 1000);
    last = now;
  }
  stats.dispose();
  // The first batch of an epoch has nothing to hide behind.
  return { wait: median(waits.slice(1)), step: median(times.slice(1)), first: waits[0] };
}

try {
  if (flags.keep === undefined) {
    console.log(`making ${hours} hours of ${files.length} files in ${root}`);
    makeTree();
  }
  makeConfig();
  useThreads(null);
  const precision = resolvePrecision("auto", "cpu");
  const splits = await open(0);
  const { info } = splits;
  torch.manualSeed(0);
  const numInputs = info.features.length + info.statics.names.length + info.forcingNames.length;
  const network = createNetwork("halfunet", numInputs, info.features.length, { num_filters: 64 }, [NY, NX]);
  network.train();
  network.to({ memoryFormat: "channels_last" });
  const optimizer = new torch.optim.AdamW(network.parameters(), { lr: 1e-3 });

  // Reading alone: nothing else wants the processor.
  const reading = [];
  for (let k = 0; k < 4; k++) {
    const startedAt = performance.now();
    const loaded = await splits.train.load(
      [...Array(batchSize).keys()].map((i) => (k * batchSize + i) % splits.train.length),
      {
        isShuffled: true,
      },
    );
    reading.push((performance.now() - startedAt) / 1000);
    loaded.release();
  }
  await splits.close();
  console.log(`reading a batch of ${batchSize} samples, ${ms(median(reading))}`);
  const peer = spawnSync(
    process.env.PYTHON ?? "/usr/bin/python3",
    [fileURLToPath(new URL("peers/titan_loading.py", import.meta.url)), data, String(batchSize)],
    { encoding: "utf8" },
  );
  if (peer.status === 0) {
    const seconds = Number(peer.stdout.trim());
    console.log(
      `the same in Python, NumPy and torch, ${ms(seconds)}: ${(seconds / median(reading)).toFixed(1)} times as long`,
    );
  } else console.log("no Python with numpy and torch: no peer (PYTHON names another interpreter)");

  for (const numWorkers of [0, 1, 2]) {
    const opened = await open(numWorkers);
    await train(opened, network, optimizer, precision, 2); // threads start, memory is taken
    const { wait, step, first: firstWait } = await train(opened, network, optimizer, precision, steps + 1);
    await opened.close();
    console.log(
      `${numWorkers} threads: step ${ms(step)}, of it wait ${ms(wait)}, ${((100 * wait) / step).toFixed(1)} % (first batch ${ms(firstWait)})`,
    );
  }
} finally {
  if (flags.keep === undefined) rmSync(root, { recursive: true, force: true });
}
