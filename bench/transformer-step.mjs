// Train steps (AdamW) and forecasts of the vision transformers, 46→21 features, 256×256, batch 2: Foehn in its default precision and in
// float32 beside the same architectures in Python's PyTorch, float32. Run: node bench/transformer-step.mjs [--rounds 5] [--threads 2]
// [--batch 2] [--size 256] [models…]. Needs the built packages; PYTHON names an interpreter with torch (default /usr/bin/python3).
// Both sides take turns, so that a slow phase of the machine hits both; medians of the ratios of pairs are printed.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import * as torch from "@foehn/torch";
import { createNetwork } from "../packages/foehn/dist/models/registry.js";
import { withPrecision } from "../packages/foehn/dist/training/precision.js";
import { coreCount } from "../packages/foehn/dist/training/threads.js";

const [INPUTS, OUTPUTS, WARM_UP] = [46, 21, 1];
const MODELS = ["segformer", "swinunetr", "unetrpp"];
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
for (const model of positionals) {
  if (MODELS.includes(model)) continue;
  console.error(`unknown model "${model}"; known are ${MODELS.join(", ")}`);
  process.exit(2);
}

/** Train step and forecast as training and inference do them; each answers its seconds. */
function make(model) {
  torch.manualSeed(0);
  const network = createNetwork(model, INPUTS, OUTPUTS, {}, [size, size]);
  network.to({ memoryFormat: "channels_last" });
  const optimizer = new torch.optim.AdamW(network.parameters(), { lr: 1e-3, betas: [0.9, 0.95] });
  const x = torch.randn([batch, size, size, INPUTS]);
  const target = torch.randn([batch, size, size, OUTPUTS]);
  const timed = (fn) =>
    torch.scope(() => {
      const start = performance.now();
      fn();
      return (performance.now() - start) / 1000;
    });
  const forward = (precision) => withPrecision(precision, "cpu", () => network.forward(x)).to("float32");
  const train = (precision) =>
    timed(() => {
      network.train();
      optimizer.zeroGrad();
      const loss = forward(precision).sub(target).square().mean();
      loss.backward();
      optimizer.step();
      loss.item();
    });
  const infer = (precision) =>
    timed(() => {
      network.eval();
      torch.inferenceMode(() => forward(precision).mean().item());
    });
  const close = () => {
    for (const item of [network, optimizer, x, target]) item.dispose?.();
  };
  return { train, infer, close, parameters: network.numParameters() };
}

/** The peer, or null where there is no Python with torch. */
async function startPython() {
  const script = fileURLToPath(new URL("peers/transformer_step.py", import.meta.url));
  const args = [script, threads, batch, size, INPUTS, OUTPUTS].map(String);
  const child = spawn(process.env.PYTHON ?? "/usr/bin/python3", args, { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const gone = new Promise((resolve) => child.once("error", () => resolve({ done: true })));
  const first = await Promise.race([lines.next(), gone]);
  if (first.done) return null;
  return {
    about: JSON.parse(first.value),
    async time(model, what) {
      child.stdin.write(`${model} ${what} 1\n`);
      return JSON.parse((await lines.next()).value);
    },
    close: () => child.stdin.end(),
  };
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const ms = (list) => `${(1000 * median(list)).toFixed(0)} ms`.padStart(8);

torch.setNumThreads(threads);
const python = await startPython();
const peer = python === null ? "no Python with torch: own times only" : `Python's torch ${python.about.torch}, float32`;
console.log(
  `libtorch ${torch.version().libtorch}, ${threads} threads; ${peer}; batch ${batch}, ${size}×${size}, ${rounds} rounds`,
);
for (const model of positionals.length > 0 ? positionals : MODELS) {
  const { close, parameters, ...own } = make(model);
  for (const what of ["train", "infer"]) {
    const times = { bf16: [], fp32: [], python: [] };
    for (let round = -WARM_UP; round < rounds; round++) {
      const bf16 = own[what]("bf16-mixed");
      const fp32 = own[what]("fp32");
      const answer = await python?.time(model, what);
      if (answer !== undefined && answer.parameters !== parameters) {
        throw new Error(`${model}: ${parameters} parameters here, ${answer.parameters} in Python`);
      }
      if (round < 0) continue;
      times.bf16.push(bf16);
      times.fp32.push(fp32);
      if (answer !== undefined) times.python.push(answer.seconds[0]);
    }
    const ratio = (name) => median(times.python.map((value, i) => value / times[name][i])).toFixed(2);
    const compared =
      python === null ? "" : `   python ${ms(times.python)}   bf16 ${ratio("bf16")}× as fast   fp32 ${ratio("fp32")}×`;
    console.log(`${model.padEnd(10)} ${what}   bf16 ${ms(times.bf16)}   fp32 ${ms(times.fp32)}${compared}`);
  }
  close();
}
python?.close();
