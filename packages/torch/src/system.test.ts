import { describe, expect, it } from "vitest";
import * as torch from "./index.js";

describe("what there is", () => {
  it("version", () => {
    const version = torch.version();
    expect(version.libtorch).toMatch(/^\d+\.\d+/);
    expect(version.operators).toBeGreaterThan(2500);
    expect(version.cuda === null || typeof version.cuda === "string").toBe(true);
    expect(version.cuda === null && torch.cuda.isAvailable()).toBe(false);
  });
  it("processor", () => {
    const cpu = torch.cpuCapabilities();
    expect(cpu.amxBf16 && !cpu.bf16).toBe(false);
    expect(cpu.avx512 && !cpu.avx2).toBe(false);
    if (process.arch === "x64") expect(typeof cpu.avx2).toBe("boolean");
  });
  it("CUDA, or a clear error", () => {
    expect(torch.cuda.deviceCount() > 0).toBe(torch.cuda.isAvailable());
    if (torch.cuda.isAvailable()) {
      const x = torch.ones([2]).cuda();
      expect([x.device, x.mul(2).cpu().toArray()]).toEqual(["cuda:0", [2, 2]]);
      torch.cuda.synchronize();
    } else {
      expect(() => torch.ones([2]).cuda()).toThrow(torch.TorchError);
      expect(() => torch.zeros([1], { device: "cuda:0" })).toThrow(torch.TorchError);
    }
  });
  it("threads", () => {
    const before = torch.getNumThreads();
    torch.setNumThreads(1);
    expect(torch.getNumThreads()).toBe(1);
    torch.setNumThreads(before);
    expect(() => torch.setNumThreads(0)).toThrow(torch.TorchError);
  });
  it("deterministic algorithms", () => {
    torch.useDeterministicAlgorithms(true);
    expect(torch.ones([2]).cumsum(0).toArray()).toEqual([1, 2]);
    torch.useDeterministicAlgorithms(false);
  });
});

describe("memory of large CPU tensors", () => {
  const linux = process.platform === "linux";
  it.skipIf(!linux)("waits for the next tensor of its size, and can be given back", () => {
    torch.emptyCache();
    expect(torch.memoryStats().cachedBytes).toBe(0);
    torch.ones([2 ** 20]).dispose();
    expect(torch.memoryStats().cachedBytes).toBe(4 * 2 ** 20);
    const again = torch.zeros([2 ** 20]);
    expect(torch.memoryStats().cachedBytes).toBe(0);
    expect(again.sum().item()).toBe(0);
    const smaller = torch.ones([2 ** 20 - 1000]); // would fit, but there is none waiting
    again.dispose();
    smaller.dispose();
    expect(torch.memoryStats().cachedBytes).toBe(8 * 2 ** 20);
    torch.ones([2 ** 18]).dispose(); // a quarter of what waits: takes its own
    expect(torch.memoryStats().cachedBytes).toBe(9 * 2 ** 20);
    torch.emptyCache();
    expect(torch.memoryStats().cachedBytes).toBe(0);
  });
  it("never mixes two tensors up", () => {
    const kept = Array.from({ length: 8 }, (_, i) => torch.full([2 ** 18 + i * 3000], i));
    for (let round = 0; round < 20; round++) {
      torch.scope(() => {
        for (const x of kept) x.add(1).mul(2);
      });
    }
    expect(kept.map((x) => x.mean().item())).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    torch.dispose(kept);
  });
});
