import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { describe, expect, it } from "vitest";
import { readStateDict, unwrapped } from "./state-dict-files.js";

const known = new Set(["conv.weight", "model.bias"]);
const keys = (...names: string[]) => [
  ...unwrapped(new Map(names.map((name) => [name, null as unknown as Tensor])), known).keys(),
];

describe("state dicts in files", () => {
  it("takes off the prefixes of wrappers and leaves out their own keys", () => {
    expect(keys("model.conv.weight", "loss_weights")).toEqual(["conv.weight"]);
    expect(keys("module._orig_mod.conv.weight")).toEqual(["conv.weight"]);
  });

  it("leaves keys that fit alone, also when they look like a wrapper's, and unexpected ones beside them", () => {
    expect(keys("model.bias", "extra")).toEqual(["model.bias", "extra"]);
    expect(keys("nothing.known")).toEqual(["nothing.known"]);
  });

  it("refuses a file without tensors", () => {
    const directory = mkdtempSync(join(tmpdir(), "foehn-"));
    try {
      torch.safetensors.save(join(directory, "empty.safetensors"), new Map());
      expect(() => readStateDict(join(directory, "empty.safetensors"), known)).toThrow(/no state dict/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
