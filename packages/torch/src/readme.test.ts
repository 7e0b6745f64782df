// The README's example is the file in examples/, and it runs and learns.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it, vi } from "vitest";
import * as torch from "./index.js";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const cwd = process.cwd();
const folder = mkdtempSync(join(tmpdir(), "foehn-readme-"));

afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

describe("README", () => {
  it("shows the example as it is, and the example learns", async () => {
    const source = readFileSync(here("../examples/mnist-size.ts"), "utf8");
    const block = /```ts\n(import \* as torch[\s\S]*?)```/.exec(readFileSync(here("../README.md"), "utf8"))?.[1];
    expect(block).toBe(source);
    const lines: string[] = [];
    vi.spyOn(console, "log").mockImplementation((line: string) => void lines.push(line));
    process.chdir(folder); // it saves its weights where it runs
    try {
      await import(/* @vite-ignore */ here("../examples/mnist-size.ts"));
    } finally {
      process.chdir(cwd);
    }
    const losses = lines.flatMap((line) => line.match(/loss ([\d.]+)/)?.[1] ?? []).map(Number);
    expect(losses.length).toBeGreaterThan(2);
    expect(losses.at(-1)).toBeLessThan(losses[0]! / 2);
    expect(Number(lines.at(-1)!.match(/accuracy ([\d.]+)/)?.[1])).toBeGreaterThan(0.9);
    expect(torch.safetensors.readHeader(join(folder, "mnist-size.safetensors")).tensors.has("features.0.weight")).toBe(
      true,
    );
  });
});
