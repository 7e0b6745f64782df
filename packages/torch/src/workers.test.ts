import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import * as torch from "./index.js";

// Workers load the addon itself: it must keep all its state per thread.
const addon =
  process.env.FOEHN_TORCH_ADDON ?? fileURLToPath(new URL("../build/Release/foehn_torch.node", import.meta.url));

const SCRIPT = `
const { parentPort, workerData } = require("node:worker_threads");
const native = require(workerData.addon);
native.setup(new Float64Array(72), (code, message) => Object.assign(new Error(message), { code }));
const add = native.operator("aten::add.Tensor").id;
const matmul = native.operator("aten::matmul").id;
const array = new Float32Array(64 * 64).fill(workerData.value);
const x = native.fromData(array, 6, [64, 64], true);
let errors = 0;
for (let i = 0; i < 200; i++) {
  native.release(native.call(matmul, x, x));
  native.release(native.call(add, x, x));
  try { native.call(add, x, 12345678901); } catch { errors++; }
}
const objects = Array.from({ length: 50 }, () => ({}));
const handles = Float64Array.from(objects, () => native.call(add, x, x));
native.flush(objects, handles, 50); // finalizers that are still due when the thread ends
native.release(handles[0]);
const sum = native.call(native.operator("aten::sum").id, x);
parentPort.postMessage({ sum: native.item(sum), errors, grad: native.gradEnabled() });
if (workerData.stay) setInterval(() => native.flush([{}], Float64Array.of(native.call(add, x, x)), 1), 0);
`;

function start(value: number, stay = false): { worker: Worker; message: Promise<unknown>; exit: Promise<number> } {
  const worker = new Worker(SCRIPT, { eval: true, workerData: { addon, value, stay } });
  return {
    worker,
    message: new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject)),
    exit: new Promise((resolve) => worker.once("exit", resolve)),
  };
}

describe("worker threads", () => {
  it("each have an addon of their own, beside the main thread's", async () => {
    const here = torch.ones([64, 64], { requiresGrad: true });
    const workers = [1, 2, 3, 4].map((value) => start(value));
    const results = torch.noGrad(() => workers.map((w) => w.message));
    for (let i = 0; i < 50; i++) torch.scope(() => here.matmul(here).sum().backward());
    expect(await Promise.all(results)).toEqual([1, 2, 3, 4].map((v) => ({ sum: v * 4096, errors: 200, grad: true })));
    expect(await Promise.all(workers.map((w) => w.exit))).toEqual([0, 0, 0, 0]);
    expect(here.grad?.index(0, 0).item()).toBe(50 * 128);
  });
  it("may be stopped at any time, again and again", async () => {
    for (let round = 0; round < 3; round++) {
      const { worker, message } = start(1, true);
      await message;
      await worker.terminate();
    }
    expect(torch.ones([2]).sum().item()).toBe(2);
  });
});
