// Forward pass and train step of graphlam and hilam (256×256, 46→21 features, width 64, batch 1, AdamW): Foehn in its default precision
// beside the same networks in Python as py4cast runs them (float32), and beside what the machine allows.
// Run it alone on a quiet machine: node bench/graph-step.mjs [rounds] [threads] [size]. PYTHON names the peer's interpreter (default /usr/bin/python3,
// with torch). Both sides take turns, so that a slow phase of the machine hits both; medians and ratios are printed.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as torch from "@foehn/torch";
import { createNetwork } from "../packages/foehn/dist/models/registry.js";
import { resolvePrecision, withPrecision } from "../packages/foehn/dist/training/precision.js";
import { coreCount } from "../packages/foehn/dist/training/threads.js";

const rounds = Number(process.argv[2] ?? 5);
const threads = Number(process.argv[3] ?? coreCount());
const size = Number(process.argv[4] ?? 256);
const [INPUTS, OUTPUTS, WIDTH, ROUNDS] = [46, 21, 64, 4];
const models = ["graphlam", "hilam"];
const precision = process.env.PRECISION ?? resolvePrecision("auto");
torch.setNumThreads(threads);

const networks = Object.fromEntries(
  models.map((model) => [
    model,
    createNetwork(model, INPUTS, OUTPUTS, { hidden_dims: WIDTH, processor_layers: ROUNDS }, [size, size]),
  ]),
);

function makeRuns(network) {
  network.train();
  const optimizer = new torch.optim.AdamW(network.parameters(), { lr: 1e-3, betas: [0.9, 0.95] });
  const x = torch.randn([1, size * size, INPUTS]);
  const target = torch.randn([1, size * size, OUTPUTS]);
  const predict = () => withPrecision(precision, "cpu", () => network.forward(x)).to("float32");
  return {
    forward: () => torch.scope(() => torch.noGrad(() => predict().shape.length)),
    step: () =>
      torch.scope(() => {
        optimizer.zeroGrad();
        predict().sub(target).square().mean().backward();
        optimizer.step();
      }),
  };
}

/** Mesh tensors under the names that the peer reads. */
function meshTensors(model, { mesh }) {
  const entries = [];
  const edges = (name, set) => {
    entries.push([`${model}.${name}.index`, torch.stack([set.senders, set.receivers])]);
    entries.push([`${model}.${name}.features`, set.features]);
  };
  edges("g2m", mesh.gridToMesh);
  edges("m2g", mesh.meshToGrid);
  for (const [kind, list] of [
    ["m2m", mesh.same],
    ["up", mesh.up],
    ["down", mesh.down],
  ]) {
    for (const [i, set] of [...list].entries()) edges(`${kind}_${i}`, set);
  }
  for (const [i, level] of [...mesh.levels].entries()) entries.push([`${model}.nodes_${i}.features`, level.features]);
  return entries;
}

async function startPython() {
  const folder = mkdtempSync(join(tmpdir(), "foehn-bench-"));
  const file = join(folder, "mesh.pt");
  torch.saveStateDict(file, new Map(models.flatMap((model) => meshTensors(model, networks[model]))));
  const script = fileURLToPath(new URL("peers/graph_step.py", import.meta.url));
  const args = [script, threads, file, INPUTS, OUTPUTS, WIDTH, ROUNDS].map(String);
  const child = spawn(process.env.PYTHON ?? "/usr/bin/python3", args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const gone = new Promise((resolve) => child.once("error", () => resolve({ done: true })));
  const first = await Promise.race([lines.next(), gone]);
  const clean = () => rmSync(folder, { recursive: true, force: true });
  if (first.done) return clean() ?? null;
  return {
    about: JSON.parse(first.value),
    async time(model, what, count) {
      child.stdin.write(`${model} ${what} ${count}\n`);
      return JSON.parse((await lines.next()).value);
    },
    close: () => child.stdin.end() && clean(),
  };
}

/**
 * Products (FLOP) and bytes that a forward pass cannot do without: each linear layer reads its rows and writes its result, each edge term
 * is read once more where nodes meet it and once where messages are summed. A train step does three times as much.
 */
function work({ mesh }) {
  const bytes = precision === "fp32" ? 4 : 2;
  let [flop, moved] = [0, 0];
  const linear = (rows, from, to) => {
    flop += 2 * rows * from * to;
    moved += rows * (from + to) * bytes;
  };
  const perceptron = (rows, from) => {
    linear(rows, from, WIDTH);
    linear(rows, WIDTH, WIDTH);
  };
  const interaction = (set) => {
    linear(set.numEdges, WIDTH, WIDTH);
    moved += 2 * set.numEdges * WIDTH * bytes;
    linear(set.numEdges, WIDTH, WIDTH);
    moved += set.numEdges * WIDTH * bytes;
    linear(set.numSenders, WIDTH, WIDTH);
    linear(set.numReceivers, WIDTH, WIDTH);
    perceptron(set.numReceivers, 2 * WIDTH);
  };
  const [same, up, down, levels] = [mesh.same, mesh.up, mesh.down, mesh.levels].map((list) => [...list]);
  const grid = size * size;
  perceptron(grid, INPUTS);
  perceptron(grid, WIDTH);
  linear(grid, WIDTH, WIDTH);
  linear(grid, WIDTH, OUTPUTS);
  for (const set of [mesh.gridToMesh, mesh.meshToGrid, ...same, ...up, ...down]) perceptron(set.numEdges, 3);
  for (const level of levels) perceptron(level.numNodes, 2);
  const each = levels.length === 1 ? same : [...down, ...same, ...up, ...same];
  const once = levels.length === 1 ? [] : [...up, ...down];
  for (const set of [mesh.gridToMesh, mesh.meshToGrid, ...once]) interaction(set);
  for (let i = 0; i < ROUNDS; i++) for (const set of each) interaction(set);
  return { flop, moved };
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const ms = (seconds) => `${(1000 * seconds).toFixed(0)} ms`.padStart(8);
const timed = (fn) => {
  const start = performance.now();
  fn();
  return (performance.now() - start) / 1000;
};

/** Measured here and now: a large matrix product and a large copy. */
function machine() {
  return torch.scope(() => {
    const dtype = precision === "fp32" ? "float32" : "bfloat16";
    const [a, b] = [torch.randn([4096, 1024]).to(dtype), torch.randn([1024, 1024]).to(dtype)];
    const copied = torch.randn([16 << 20]);
    const best = (fn) => Math.min(...Array.from({ length: 5 }, () => timed(() => torch.scope(fn))));
    return {
      flops: (2 * 4096 * 1024 * 1024) / best(() => void torch.linear(a, b)),
      bandwidth: (2 * 4 * copied.numel()) / best(() => void copied.clone()),
    };
  });
}

const runs = Object.fromEntries(models.map((model) => [model, makeRuns(networks[model])]));
const python = await startPython();
const cases = models.flatMap((model) => ["forward", "step"].map((what) => ({ model, what, foehn: [], python: [] })));
for (const { model, what } of cases) {
  for (let i = 0; i < 2; i++) runs[model][what]();
  await python?.time(model, what, 1);
}
const peak = machine();
for (let round = 0; round < rounds; round++) {
  for (const { model, what, foehn, python: theirs } of cases) {
    foehn.push(timed(runs[model][what]));
    if (python !== null) theirs.push(...(await python.time(model, what, 1)));
  }
}
console.log(
  `libtorch ${torch.version().libtorch}, ${precision}, ${threads} threads, ${size}×${size}; peer: ${
    python === null ? "none (no python3 with torch)" : `torch ${python.about.torch}, fp32`
  }; medians of ${rounds}`,
);
console.log(
  `machine: ${(peak.flops / 1e9).toFixed(0)} GFLOP/s in a large product, ${(peak.bandwidth / 1e9).toFixed(1)} GB/s in a copy`,
);
for (const { model, what, foehn, python: theirs } of cases) {
  const own = median(foehn);
  const times = what === "step" ? 3 : 1;
  const { flop, moved } = work(networks[model]);
  const bound = times * Math.max(flop / peak.flops, moved / peak.bandwidth);
  const pairs = foehn.map((value, i) => (theirs[i] ?? Number.NaN) / value);
  console.log(
    `${`${model} ${what}`.padEnd(18)} foehn ${ms(own)}` +
      (python === null
        ? ""
        : `   python ${ms(median(theirs))}   ${median(pairs).toFixed(2)} times faster (target: at least 3)`) +
      `   roofline ${ms(bound)} (${((times * flop) / 1e9).toFixed(1)} GFLOP, ${((times * moved) / 1e6).toFixed(0)} MB), reached ${((100 * bound) / own).toFixed(0)} %`,
  );
}
python?.close();
