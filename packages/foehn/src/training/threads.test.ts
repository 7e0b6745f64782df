import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import { coreCount, threadsPerCore, useThreads } from "./threads.js";

const processor = (id: number, socket: number, core: number) =>
  `processor\t: ${id}\nphysical id\t: ${socket}\nsiblings\t: 4\ncore id\t\t: ${core}\n\n`;

describe("threads", () => {
  it("counts hyper-threads once", () => {
    expect(threadsPerCore(processor(0, 0, 0) + processor(1, 0, 1))).toBe(1);
    expect(threadsPerCore(processor(0, 0, 0) + processor(1, 0, 1) + processor(2, 0, 0) + processor(3, 0, 1))).toBe(2);
    expect(threadsPerCore(processor(0, 0, 0) + processor(1, 1, 0))).toBe(1);
    expect(threadsPerCore("Hardware\t: BCM2835\n")).toBe(1);
  });

  it("sets what is asked for", () => {
    const before = torch.getNumThreads();
    try {
      expect(useThreads(1)).toBe(1);
      expect(torch.getNumThreads()).toBe(1);
      expect(coreCount()).toBeGreaterThanOrEqual(1);
    } finally {
      torch.setNumThreads(before);
    }
  });
});
