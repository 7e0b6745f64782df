// What one operator call costs from JavaScript, end to end: node bench/boxed-call.mjs
// Beside it, in the same run, the same add in Python where /usr/bin/python3 has torch.
import { spawnSync } from "node:child_process";
import * as torch from "../packages/torch/dist/index.js";

const CALLS = 200_000;
torch.setNumThreads(1);
const a = torch.tensor([1, 2, 3, 4]);
const b = torch.tensor([5, 6, 7, 8]);

/** Microseconds per call, best of five runs. */
function measure(step) {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 6; run++) {
    const start = process.hrtime.bigint();
    step(CALLS);
    const us = Number(process.hrtime.bigint() - start) / 1000 / CALLS;
    if (run > 0) best = Math.min(best, us);
  }
  return best;
}

const cases = {
  "a.add(b), disposed by hand": (n) => {
    for (let i = 0; i < n; i++) a.add(b).dispose();
  },
  "a.add(b) in scopes of 100": (n) => {
    for (let i = 0; i < n / 100; i++) {
      torch.scope(() => {
        for (let k = 0; k < 100; k++) a.add(b);
      });
    }
  },
  "a.add(b), left to the garbage collector": (n) => {
    for (let i = 0; i < n; i++) a.add(b);
  },
  'torch.aten("add.Tensor", a, b), disposed': (n) => {
    for (let i = 0; i < n; i++) torch.aten("add.Tensor", a, b).dispose();
  },
  "a.add(b, { alpha: 2 }), disposed": (n) => {
    for (let i = 0; i < n; i++) a.add(b, { alpha: 2 }).dispose();
  },
  "a.add_(b)": (n) => {
    for (let i = 0; i < n; i++) a.add_(b);
  },
  "a.shape": (n) => {
    for (let i = 0; i < n; i++) a.shape;
  },
};

const results = {};
for (const [name, step] of Object.entries(cases)) {
  results[name] = measure(step);
  console.log(`${results[name].toFixed(2).padStart(7)} µs  ${name}`);
}

const script = `
import torch, time
torch.set_num_threads(1)
a = torch.tensor([1., 2., 3., 4.]); b = torch.tensor([5., 6., 7., 8.])
best = 1e9
for run in range(6):
    t = time.perf_counter()
    for i in range(${CALLS}): a.add(b)
    if run: best = min(best, (time.perf_counter() - t) / ${CALLS} * 1e6)
print(best)
`;
const python = spawnSync("/usr/bin/python3", ["-c", script], { encoding: "utf8" });
if (python.status === 0) {
  const peer = Number(python.stdout);
  console.log(`${peer.toFixed(2).padStart(7)} µs  Python, a.add(b)`);
  console.log(`ratio, scoped call to Python: ${(results["a.add(b) in scopes of 100"] / peer).toFixed(2)}`);
} else {
  console.log("no ratio: /usr/bin/python3 has no torch");
}
