// Train steps of the convolutional networks and of AFNO (30→21 features, 256×256, batch 2, AdamW): Foehn beside the same architectures in
// Python's PyTorch, in its default float32. Run: node bench/zoo-step.mjs [--rounds 5] [--threads 2] [--batch 2] [--size 256] [models…]
// Needs the built packages; PYTHON names an interpreter with torch (default /usr/bin/python3). Both sides take turns, pair by pair, so that
// a slow phase of the machine hits both; medians of the ratios of pairs are printed, and a check that parameters agree.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import * as torch from "@foehn/torch";
import { createNetwork } from "../packages/foehn/dist/models/registry.js";
import { withPrecision } from "../packages/foehn/dist/training/precision.js";
import { coreCount } from "../packages/foehn/dist/training/threads.js";

const [INPUTS, OUTPUTS, WARM_UP] = [30, 21, 1];
const SETTINGS = {
  halfunet: {},
  unet: {},
  customunet: {},
  deeplabv3: {},
  deeplabv3plus: {},
  afno: { embed_dim: 256, depth: 4 },
};
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "5" },
    threads: { type: "string", default: String(coreCount()) },
    batch: { type: "string", default: "2" },
    size: { type: "string", default: "256" },
  },
});
const [rounds, threads, batch, size] = ["rounds", "threads", "batch", "size"].map((name) => Number(values[name]));
const models = positionals.length > 0 ? positionals : Object.keys(SETTINGS);
for (const model of models) {
  if (SETTINGS[model] !== undefined) continue;
  console.error(`unknown model "${model}"; known are ${Object.keys(SETTINGS).join(", ")}`);
  process.exit(2);
}

/** The step as training does it. The weights are of one network, so a precision changes nothing but the arithmetic. */
function makeStep(model) {
  torch.manualSeed(0);
  const network = createNetwork(model, INPUTS, OUTPUTS, SETTINGS[model], [size, size]);
  network.train();
  if (network.activationLayout === "channels_last") network.to({ memoryFormat: "channels_last" });
  const optimizer = new torch.optim.AdamW(network.parameters(), { lr: 1e-3, betas: [0.9, 0.95] });
  const x = torch.randn([batch, size, size, INPUTS]);
  const target = torch.randn([batch, size, size, OUTPUTS]);
  const step = (precision) =>
    torch.scope(() => {
      const start = performance.now();
      optimizer.zeroGrad();
      const y = withPrecision(precision, "cpu", () => network.forward(x)).to("float32");
      const loss = y.sub(target).square().mean();
      loss.backward();
      optimizer.step();
      loss.item();
      return (performance.now() - start) / 1000;
    });
  const close = () => {
    for (const item of [network, optimizer, x, target]) item.dispose?.();
  };
  const trained = network.parameters().filter((parameter) => parameter.requiresGrad);
  return { step, close, parameters: trained.reduce((sum, parameter) => sum + parameter.numel(), 0) };
}

/** The peer, or null where there is no Python with torch. */
async function startPython() {
  const script = fileURLToPath(new URL("peers/conv_zoo_step.py", import.meta.url));
  const args = [script, threads, batch, size, INPUTS, OUTPUTS].map(String);
  const child = spawn(process.env.PYTHON ?? "/usr/bin/python3", args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const gone = new Promise((resolve) => child.once("error", () => resolve({ done: true })));
  const first = await Promise.race([lines.next(), gone]);
  if (first.done) return null;
  return {
    about: JSON.parse(first.value),
    async time(model, count) {
      child.stdin.write(`${model} ${count}\n`);
      return JSON.parse((await lines.next()).value);
    },
    close: () => child.stdin.end(),
  };
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const ms = (seconds) => `${(1000 * seconds).toFixed(0)} ms`.padStart(8);

torch.setNumThreads(threads);
const python = await startPython();
console.log(
  `libtorch ${torch.version().libtorch}, ${threads} threads; ${python === null ? "no Python with torch: own times only" : `Python's torch ${python.about.torch}, float32`}; batch ${batch}, ${size}×${size}, ${rounds} rounds`,
);
// Without bf16 in the processor the default precision is fp32, and emulated bf16 steps would disturb the others.
const hasBf16 = torch.cpuCapabilities().bf16;
for (const model of models) {
  const { step, close, parameters } = makeStep(model);
  const times = { bf16: [], fp32: [], python: [] };
  for (let round = -WARM_UP; round < rounds; round++) {
    const bf16 = hasBf16 ? step("bf16-mixed") : Number.NaN;
    const fp32 = step("fp32");
    const peer = await python?.time(model, 1);
    if (peer !== undefined && peer.parameters !== parameters) {
      throw new Error(`${model}: ${parameters} trained parameters here, ${peer.parameters} in Python`);
    }
    if (round < 0) continue;
    times.bf16.push(bf16);
    times.fp32.push(fp32);
    if (peer !== undefined) times.python.push(peer.seconds[0]);
  }
  close();
  const ratio = (name) => median(times.python.map((value, i) => value / times[name][i])).toFixed(2);
  const compared =
    python === null
      ? ""
      : `   python fp32 ${ms(median(times.python))}${hasBf16 ? `   default ${ratio("bf16")}× (target 4)` : ""}   fp32 ${ratio("fp32")}× (target 0.95)`;
  console.log(
    `${model.padEnd(14)}${hasBf16 ? ` bf16 ${ms(median(times.bf16))}  ` : ""} fp32 ${ms(median(times.fp32))}${compared}`,
  );
}
python?.close();
