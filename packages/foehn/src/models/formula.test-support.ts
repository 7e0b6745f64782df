// Weights and inputs that the tests and the Python scripts of test/golden/models compute alike, so that golden files of large networks
// hold outputs only. The formula is that of `noise` and `fill` in test/golden/models/conv_zoo.py.

import { fileURLToPath } from "node:url";
import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";

const INPUT = 1000;

/** Path of a golden file of the models. */
export const golden = (name: string) =>
  fileURLToPath(new URL(`../../../../test/golden/models/${name}`, import.meta.url));

/** Numbers in [0, 1) that look random, float64: frac(43758.5453·sin(12.9898·j + 78.233·index)). */
function noise(index: number, shape: readonly number[]): Tensor {
  const count = shape.reduce((a, b) => a * b, 1);
  const value = torch
    .arange(count, { dtype: "float64" })
    .mul(12.9898)
    .add(index * 78.233)
    .sin()
    .mul(43758.5453);
  return value.sub(value.floor()).reshape(shape);
}

/** The input of a case, (B, H, W, F). */
export function inputOf(shape: readonly number[]): Tensor {
  return noise(INPUT, shape).mul(2).sub(1).to("float32");
}

/** Gives a network the weights of a case. */
export function fillByFormula(network: torch.nn.Module): void {
  torch.noGrad(() =>
    torch.scope(() => {
      for (const [index, [key, tensor]] of [...network.stateDict()].entries()) {
        if (!tensor.dtype.startsWith("float")) continue;
        const h = noise(index, tensor.shape);
        const fanIn = tensor.shape.slice(1).reduce((a, b) => a * b, 1);
        if (key.endsWith("running_var")) tensor.copy_(h.mul(1.5).add(0.5));
        else if (tensor.ndim > 1)
          tensor.copy_(
            h
              .mul(2)
              .sub(1)
              .mul(Math.sqrt(6 / fanIn)),
          );
        else if (key.endsWith("weight")) tensor.copy_(h.add(0.5));
        else tensor.copy_(h.mul(2).sub(1).mul(0.2));
      }
    }),
  );
}

/** A case as the scripts write it. */
export interface GoldenCase {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly keys: readonly string[];
  /** (B, H, W, F) of the input. */
  readonly shape: readonly [number, number, number, number];
  readonly output: Tensor;
  readonly trainOutput: Tensor;
  readonly runningMean: ReadonlyMap<string, Tensor>;
}

/** Reads a case. */
export function readCase(name: string): GoldenCase {
  const data = torch.load(golden(`${name}.pt`)) as Map<string, unknown>;
  return {
    settings: Object.fromEntries(data.get("settings") as Map<string, unknown>),
    keys: data.get("keys") as string[],
    shape: data.get("shape") as [number, number, number, number],
    output: data.get("output") as Tensor,
    trainOutput: data.get("train_output") as Tensor,
    runningMean: (data.get("running_mean") as Map<string, Tensor> | undefined) ?? new Map(),
  };
}

/** Largest |a − b|, relative to the largest |b|. */
export function relativeDifference(a: Tensor, b: Tensor): number {
  return (a.sub(b).abs().max().item() as number) / (b.abs().max().item() as number);
}
