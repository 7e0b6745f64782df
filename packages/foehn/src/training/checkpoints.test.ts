import { mkdtempSync, readdirSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as torch from "@foehn/torch";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Checkpoint, CheckpointFolder } from "./checkpoints.js";

let path: string;
let folder: CheckpointFolder;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "foehn-checkpoints-"));
  folder = new CheckpointFolder(path);
});
afterEach(() => rmSync(path, { recursive: true }));

const contents = (step: number) => (): Checkpoint<{ step: number }> => ({
  model: new Map([["weight", torch.full([2], step)]]),
  optimizer: new Map([["0.exp_avg", torch.full([2], -step)]]),
  state: { step },
});

describe("checkpoints", () => {
  it("come back as they were, and only those with a link stay", async () => {
    for (const step of [1, 2, 3]) await folder.save(step, step === 2 ? ["last", "best"] : ["last"], contents(step));
    const [last, best] = [await folder.load<{ step: number }>("last"), await folder.load<{ step: number }>("best")];
    expect([last.state.step, best.state.step]).toEqual([3, 2]);
    expect(best.model.get("weight")!.toArray()).toEqual([2, 2]);
    expect(last.optimizer.get("0.exp_avg")!.toArray()).toEqual([-3, -3]);
    expect(readdirSync(path).sort()).toEqual(["best", "last", "step-00000002", "step-00000003"]);
  });

  it("may be written twice at one step", async () => {
    await folder.save(5, ["last", "best"], contents(5));
    await folder.save(5, ["last"], contents(5));
    expect(readdirSync(path).sort()).toEqual(["best", "last", "step-00000005", "step-00000005.1"]);
  });

  it("keep the old one when the disk is full, without leftovers", async () => {
    await folder.save(1, ["last"], contents(1));
    const full = () => {
      throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", syscall: "write" });
    };
    await expect(folder.save(2, ["last"], full)).rejects.toMatchObject({
      code: "storage",
      message: expect.stringContaining("disk is full"),
    });
    expect((await folder.load<{ step: number }>("last")).state.step).toBe(1);
    expect(readdirSync(path).sort()).toEqual(["last", "step-00000001"]);
  });

  it("free what they made", async () => {
    const before = torch.memoryStats().liveTensors;
    await folder.save(1, ["last"], contents(1));
    expect(torch.memoryStats().liveTensors).toBe(before);
  });

  it("say what is wrong when one is missing or damaged", async () => {
    await expect(folder.load("last")).rejects.toMatchObject({ code: "storage" });
    await folder.save(1, ["last"], contents(1));
    truncateSync(join(path, "last", "model.safetensors"), 20);
    await expect(folder.load("last")).rejects.toMatchObject({ code: "format", hint: expect.stringContaining("best") });
  });
});
