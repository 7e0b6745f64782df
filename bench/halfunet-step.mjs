// One train step of HalfUNet (64 filters, 30→21 features, 256×256, batch 2, AdamW): Foehn beside Python on the same libtorch.
// Run it alone on a quiet machine: node bench/halfunet-step.mjs [rounds] [threads]. Needs the built packages and, for the comparison, python3
// with torch. Both sides take turns, so that a slow phase of the machine hits both; medians and ratios are printed.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as torch from "@foehn/torch";
import { createNetwork } from "../packages/foehn/dist/models/registry.js";
import { withPrecision } from "../packages/foehn/dist/training/precision.js";
import { coreCount } from "../packages/foehn/dist/training/threads.js";

const [BATCH, SIZE, INPUTS, OUTPUTS, FILTERS] = [2, 256, 30, 21, 64];
const rounds = Number(process.argv[2] ?? 7);
const threads = Number(process.argv[3] ?? coreCount());
const WARM_UP = 2;

/** The step as training does it, layout and precision given. */
function makeStep(mode) {
  torch.manualSeed(0);
  const [arithmetic, layout] = [mode.slice(0, 4), mode.slice(5)];
  const precision = arithmetic === "bf16" ? "bf16-mixed" : "fp32";
  const network = createNetwork("halfunet", INPUTS, OUTPUTS, { num_filters: FILTERS }, [SIZE, SIZE]);
  network.train();
  if (layout === "contiguous") network.activationLayout = "contiguous";
  else network.to({ memoryFormat: "channels_last" });
  const optimizer = new torch.optim.AdamW(network.parameters(), { lr: 1e-3, betas: [0.9, 0.95] });
  const x = torch.randn([BATCH, SIZE, SIZE, INPUTS]);
  const target = torch.randn([BATCH, SIZE, SIZE, OUTPUTS]);
  return () =>
    torch.scope(() => {
      optimizer.zeroGrad();
      const y = withPrecision(precision, "cpu", () => network.forward(x)).to("float32");
      const loss = y.sub(target).square().mean();
      loss.backward();
      optimizer.step();
      return loss.item();
    });
}

/** The peer, or null where python3 or its torch is missing. */
async function startPython(count) {
  const script = fileURLToPath(new URL("peers/halfunet_step.py", import.meta.url));
  const child = spawn(process.env.PYTHON ?? "/usr/bin/python3", [script, String(count)], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const gone = new Promise((resolve) => child.once("error", () => resolve({ done: true })));
  const first = await Promise.race([lines.next(), gone]);
  if (first.done) return null;
  return {
    about: JSON.parse(first.value),
    async time(mode, count) {
      child.stdin.write(`${mode} ${count}\n`);
      return JSON.parse((await lines.next()).value);
    },
    close: () => child.stdin.end(),
  };
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const ms = (seconds) => `${(1000 * seconds).toFixed(0)} ms`.padStart(8);

torch.setNumThreads(threads);
const python = await startPython(threads);
if (python === null) console.log("python3 with torch is not here: Foehn's own times only");
const modes = ["fp32-contiguous", "fp32-channels-last", "bf16-channels-last"];
const times = Object.fromEntries(modes.map((mode) => [mode, { foehn: [], python: [] }]));
const steps = Object.fromEntries(modes.map((mode) => [mode, makeStep(mode)]));
for (const mode of modes) {
  for (let i = 0; i < WARM_UP; i++) steps[mode]();
  await python?.time(mode, WARM_UP);
}
for (let round = 0; round < rounds; round++) {
  for (const mode of modes) {
    const start = performance.now();
    steps[mode]();
    times[mode].foehn.push((performance.now() - start) / 1000);
    if (python !== null) times[mode].python.push(...(await python.time(mode, 1)));
  }
}
// What each gets without being told a number of threads: libtorch's own count is one on many virtual machines.
const asItComes = python !== null && python.about.threads !== threads ? await startPython(0) : null;
const asItComesTimes =
  asItComes === null ? [] : (await asItComes.time("fp32-contiguous", WARM_UP + rounds)).slice(WARM_UP);
asItComes?.close();
python?.close();

console.log(`libtorch ${torch.version().libtorch}, ${threads} threads on both sides; medians of ${rounds} steps`);
for (const mode of modes) {
  const own = median(times[mode].foehn);
  const theirs = python === null ? "" : `   python ${ms(median(times[mode].python))}`;
  // Pairs ran one after the other, so the median of their ratios is steadier than the ratio of medians.
  const pairs = times[mode].foehn.map((value, i) => value / times[mode].python[i]);
  console.log(
    `${mode.padEnd(20)} foehn ${ms(own)}${theirs}${python === null ? "" : `   ratio ${median(pairs).toFixed(3)}`}`,
  );
}
if (python !== null) {
  const pairs = times["fp32-contiguous"].python.map((value, i) => value / times["bf16-channels-last"].foehn[i]);
  console.log(
    `Foehn's default precision is ${median(pairs).toFixed(2)} times faster than Python in fp32 (target: at least 4)`,
  );
  const same = times["fp32-contiguous"].foehn.map((value, i) => value / times["fp32-contiguous"].python[i]);
  console.log(`Foehn in fp32 takes ${median(same).toFixed(3)} of Python's time (target: at most 1.05)`);
  if (asItComesTimes.length > 0) {
    const own = median(times["bf16-channels-last"].foehn);
    console.log(
      `as each runs by default (Foehn ${threads} threads, Python ${python.about.threads}): ${(median(asItComesTimes) / own).toFixed(2)} times faster`,
    );
  }
}
