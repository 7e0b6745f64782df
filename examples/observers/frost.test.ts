// The guide's own observer at work on the guide's data: a cold month with frost in it.

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadPluginFiles, train } from "foehn";
import { expect, it } from "vitest";
import { tinyData } from "../../packages/foehn/src/training/tiny-data.test.fixture.js";

it("reports the error where it freezes, and its guide shows its code", async () => {
  await loadPluginFiles([fileURLToPath(new URL("frost.ts", import.meta.url))]);
  const code = readFileSync(fileURLToPath(new URL("frost.ts", import.meta.url)), "utf8");
  expect(readFileSync(fileURLToPath(new URL("../../docs/guides/observers.md", import.meta.url)), "utf8")).toContain(
    code,
  );
  const folder = mkdtempSync(join(tmpdir(), "foehn-frost-"));
  try {
    const scalars: Record<string, number> = {};
    const result = await train(
      {
        ...{ model: "persistence", dataset: "tiny", epochs: 1, observers: ["frost"], precision: "fp32" },
        ...{ num_pred_steps_val_test: 1, runs_dir: folder },
      },
      {
        dataset: tinyData({ numPredStepsValTest: 1 }),
        callbacks: [{ onScalars: ({ values }) => void Object.assign(scalars, values) }],
      },
    );
    // Persistence misses a step of the wave: the mean of its error over the points and samples below 273.15 K.
    let [sum, count] = [0, 0];
    for (const step of [102, 103, 104, 105]) {
      for (let row = 0; row < 16; row++) {
        for (let column = 0; column < 16; column++) {
          const at = (t: number) =>
            280 + 10 * Math.SQRT2 * Math.sin((2 * Math.PI * (column + t)) / 16) * Math.cos((Math.PI * row) / 16);
          if (at(step) >= 273.15) continue;
          sum += Math.abs(at(step) - at(step - 1));
          count++;
        }
      }
    }
    expect(scalars["val_frost/mae"]).toBeCloseTo(sum / count, 3);
    expect(existsSync(join(result.runDir, "figures/val/epoch-0001/frost.png"))).toBe(true);
    result.network.dispose();
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 60_000);
