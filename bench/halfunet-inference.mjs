// Forwards of HalfUNet (64 filters, 21→21 features, 256×256, batch 2) as a forecast makes them: Foehn's fused bfloat16 and its plain forwards,
// ONNX Runtime on the file that `foehn export onnx` writes, and PyTorch in Python (eager fp32 and bf16, torch.compile in bf16 where it is).
//   node bench/halfunet-inference.mjs [rounds] [threads]        PYTHON names a Python with torch, best 2.x
// All take turns in each round, and ratios are medians of ratios within a round. Wall time counts on a quiet machine; on a busy one look at
// the CPU time. The roofline is the best that this machine's bfloat16 convolution reaches here, in one layer of the network's own size.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as torch from "@foehn/torch";
import { prepareForInference } from "../packages/foehn/dist/models/prepare-inference.js";
import { createNetwork } from "../packages/foehn/dist/models/registry.js";
import { withPrecision } from "../packages/foehn/dist/training/precision.js";
import { coreCount } from "../packages/foehn/dist/training/threads.js";

const [BATCH, SIZE, INPUTS, OUTPUTS, FILTERS] = [2, 256, 21, 21, 64];
const rounds = Number(process.argv[2] ?? 9);
const threads = Number(process.argv[3] ?? coreCount());
torch.setNumThreads(threads);
torch.manualSeed(0);

const network = createNetwork("halfunet", INPUTS, OUTPUTS, { num_filters: FILTERS }, [SIZE, SIZE]).eval();
const x = torch.randn([BATCH, SIZE, SIZE, INPUTS]);
const prepared = prepareForInference(network, { precision: "bf16-mixed", logger: console });
const forward = (precision, net) => () =>
  torch
    .inferenceMode(() => torch.scope(() => withPrecision(precision, "cpu", () => net.forward(x)).to("float32")))
    .dispose();

const channels = (shape, dtype) => torch.randn(shape).to({ dtype, memoryFormat: "channels_last" });
const image = channels([BATCH, FILTERS, SIZE, SIZE], "bfloat16");
const kernel = channels([FILTERS, FILTERS, 3, 3], "bfloat16");
// Several in a row, so that the first one's cold caches do not lower the roof.
const IN_A_ROW = 4;
const convolution = () => {
  for (let i = 0; i < IN_A_ROW; i++)
    torch.inferenceMode(() => torch.scope(() => void torch.conv2d(image, kernel, { padding: [1, 1] })));
};

/** The same network in ONNX Runtime, or null where the package is missing. */
async function onnxRuntime() {
  const folder = mkdtempSync(join(tmpdir(), "foehn-bench-"));
  try {
    const path = join(folder, "halfunet.onnx");
    await torch.onnx.exportOnnx(network, torch.randn([2, SIZE, SIZE, INPUTS]), path, { batchSizes: [1] });
    const ort = (await import("onnxruntime-node")).default;
    const session = await ort.InferenceSession.create(path, { intraOpNumThreads: threads, logSeverityLevel: 3 });
    const input = new ort.Tensor("float32", x.toTypedArray(), x.shape);
    return () => session.run({ input });
  } catch (error) {
    console.log(`without ONNX Runtime: ${error.message}`);
    return null;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The peer, or null where Python or its torch is missing. */
async function python() {
  const script = fileURLToPath(new URL("peers/halfunet_inference.py", import.meta.url));
  const child = spawn(process.env.PYTHON ?? "/usr/bin/python3", [script, String(threads)], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const gone = new Promise((resolve) => child.once("error", () => resolve({ done: true })));
  const first = await Promise.race([lines.next(), gone]);
  if (first.done) return null;
  const { torch: version, modes } = JSON.parse(first.value);
  const ask = (mode) => async () => {
    child.stdin.write(`${mode} 1\n`);
    return JSON.parse((await lines.next()).value)[0];
  };
  return { version, contestants: modes.map((mode) => [`python ${mode}`, ask(mode)]), close: () => child.stdin.end() };
}

async function time(run) {
  const [cpu, wall] = [process.cpuUsage(), performance.now()];
  const told = await run();
  if (told && "wall" in told) return told;
  const used = process.cpuUsage(cpu);
  return { cpu: (used.user + used.system) / 1e6, wall: (performance.now() - wall) / 1e3 };
}

const peer = await python();
const ort = await onnxRuntime();
const contestants = new Map([
  ["foehn fused bf16", forward("bf16-mixed", prepared)],
  ["foehn plain bf16", forward("bf16-mixed", network)],
  ["foehn fp32", forward("fp32", network)],
  ["four convolutions", convolution],
  ...(ort === null ? [] : [["onnxruntime fp32", ort]]),
  ...(peer?.contestants ?? []),
]);
const times = new Map([...contestants.keys()].map((name) => [name, []]));
for (const run of contestants.values()) await time(run);
for (let round = 0; round < rounds; round++) {
  for (const [name, run] of contestants) times.get(name).push(await time(run));
}
peer?.close();

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const ours = times.get("foehn fused bf16");
const ratio = (name, key) => median(ours.map((own, i) => own[key] / times.get(name)[i][key]));
const ms = (seconds) => `${(1000 * seconds).toFixed(1)} ms`.padStart(10);
console.log(
  `libtorch ${torch.version().libtorch}, Python's torch ${peer?.version ?? "not here"}, ${threads} threads, medians of ${rounds} rounds`,
);
console.log(`${"".padEnd(20)}${"wall".padStart(10)}${"cpu".padStart(10)}   fused takes, of it: wall, cpu`);
for (const [name, list] of times) {
  const [wall, cpu] = ["wall", "cpu"].map((key) => median(list.map((entry) => entry[key])));
  console.log(
    `${name.padEnd(20)}${ms(wall)}${ms(cpu)}   ${ratio(name, "wall").toFixed(2)}  ${ratio(name, "cpu").toFixed(2)}`,
  );
}
if (times.has("python compiled")) {
  console.log(`of torch.compile in bf16: ${ratio("python compiled", "wall").toFixed(2)} (target: at most 1.2)`);
}
// Multiplications and additions of the network's convolutions, beside those of the one layer.
const full = 2 * BATCH * SIZE * SIZE;
const block = (inputs, cells) => (9 * inputs * FILTERS + 9 * FILTERS * FILTERS) * cells;
const work =
  full *
  (block(INPUTS, 1) +
    [4, 16, 64, 256].reduce((sum, n) => sum + block(FILTERS, 1 / n), 0) +
    block(FILTERS, 1) +
    FILTERS * OUTPUTS);
const layer = full * 9 * FILTERS * FILTERS;
const best = (name, key) => Math.min(...times.get(name).map((entry) => entry[key]));
for (const key of ["wall", "cpu"]) {
  const peak = (IN_A_ROW * layer) / best("four convolutions", key);
  const reached = work / best("foehn fused bf16", key);
  console.log(
    `roofline, ${key} time: one convolution ${(peak / 1e9).toFixed(0)} GF/s, the whole forward ${(reached / 1e9).toFixed(0)} GF/s = ${((100 * reached) / peak).toFixed(0)} %`,
  );
}
