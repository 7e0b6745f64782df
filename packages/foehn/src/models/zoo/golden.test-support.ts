// Cases that test/golden/models/vision_transformers.py computed with the reference implementations, for the tests of the networks.

import { fileURLToPath } from "node:url";
import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import type { Network } from "../network.js";
import { createNetwork } from "../registry.js";

const [INPUT, SEED_OF_LOSS] = [1000, 1001];

/** What the reference computed. */
export interface GoldenCase {
  readonly settings: Record<string, unknown>;
  /** (B, H, W, F) of the input. */
  readonly shape: readonly [number, number, number, number];
  readonly outputs: number;
  /** State-dict keys and shapes. */
  readonly keys: ReadonlyMap<string, readonly number[]>;
  readonly output: Tensor;
  readonly loss: number;
  /** Norms by sorted name of parameter, −1 for none. */
  readonly gradients: readonly number[];
}

/**
 * The cases of a model, and its numbers of parameters.
 * @param own settings that the reference does not have
 */
export function loadGolden(
  model: string,
  own: object = {},
): { cases: Map<string, GoldenCase>; counts: Map<string, number> } {
  const path = fileURLToPath(new URL(`../../../../../test/golden/models/${model}.pt`, import.meta.url));
  const data = torch.load(path) as Map<string, Map<string, unknown>>;
  const counts = data.get("parameters") as Map<string, number>;
  const cases = new Map<string, GoldenCase>();
  for (const [name, values] of data) {
    if (name === "parameters") continue;
    cases.set(name, {
      settings: { ...Object.fromEntries(values.get("settings") as Map<string, unknown>), ...own },
      shape: values.get("shape") as [number, number, number, number],
      outputs: values.get("outputs") as number,
      keys: values.get("keys") as Map<string, number[]>,
      output: values.get("output") as Tensor,
      loss: values.get("loss") as number,
      gradients: Array.from((values.get("gradients") as Tensor).toTypedArray() as Float32Array),
    });
  }
  return { cases, counts };
}

/** The hash of position and seed that stands for weights and inputs; the golden script has the same. */
export function noise(shape: readonly number[], seed: number): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    let h = Math.imul(i + 1, 0x9e3779b1) ^ Math.imul(seed + 1, 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
    h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
    h ^= h >>> 15;
    values[i] = (h >>> 0) / 2 ** 31 - 1;
  }
  return torch.fromTypedArray(values, shape);
}

/** A network of a case, with the reference's weights; a strict load, so that keys and shapes must agree. */
export function networkOf(model: string, { settings, shape, outputs, keys }: GoldenCase): Network {
  const network = createNetwork(model, shape[3], outputs, settings, [shape[1], shape[2]]);
  const own = network.stateDict();
  const state = new Map<string, Tensor>();
  for (const [seed, key] of [...keys.keys()].sort().entries()) {
    const size = keys.get(key)!;
    const integer = own.get(key)?.dtype === "int64";
    state.set(key, integer ? own.get(key)! : filled(key, size, seed));
  }
  network.loadStateDict(state);
  return network;
}

function filled(key: string, shape: readonly number[], seed: number): Tensor {
  const u = noise(shape, seed);
  if (shape.length > 1 && shape[0]! > 1) return u.mul(Math.sqrt((3 * shape[0]!) / u.numel()));
  const isScale = ["weight", "g", "gamma", "running_var"].includes(key.split(".").at(-1)!);
  return isScale ? u.mul(0.4).add(1) : u.mul(0.3);
}

/** The input of a case, (B, H, W, F). */
export const inputOf = ({ shape }: GoldenCase): Tensor => noise(shape, INPUT);

/** The loss of a case: back from it come the gradients whose norms the case lists. */
export function lossOf(output: Tensor): Tensor {
  return output.mul(noise(output.shape, SEED_OF_LOSS)).sum().div(Math.sqrt(output.numel()));
}

/** Norms of the gradients by sorted name of parameter, −1 for none, as in a case. */
export function gradientNorms(network: Network): Map<string, number> {
  const parameters = [...network.namedParameters()].sort(([a], [b]) => (a < b ? -1 : 1));
  return new Map(parameters.map(([name, { grad }]) => [name, grad === null ? -1 : (grad.norm().item() as number)]));
}

/** max |a − b| / max(1, max |b|). */
export function relativeDifference(a: Tensor, b: Tensor): number {
  const scale = Math.max(1, b.abs().max().item() as number);
  return (a.sub(b).abs().max().item() as number) / scale;
}
