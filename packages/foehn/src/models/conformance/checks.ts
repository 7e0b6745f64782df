// What training, packages and forecasts rely on in a network, one small function per promise. Each returns a detail when the promise
// is kept and throws `Broken` with what is wrong when it is not. check-network.ts runs them and catches whatever else is thrown.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import type { Network } from "../network.js";
import { outputOf, relativeDifference, type Subject } from "./subject.js";

/** A promise is not kept; the message says how. */
export class Broken extends Error {}

/** The promise does not concern this network; the message says why. */
export class NotChecked extends Error {}

/** Float32 results of equal arithmetic in another order. */
const ROUNDING = 1e-4;
/** Root mean square of the error of bfloat16, relative to the output's: 8 bits, many layers. */
const BF16 = 0.1;

const times = (shape: readonly number[]) => shape.join("×");
const percent = (value: number) => `${(100 * value).toPrecision(2)} %`;
const small = (value: number) => (value === 0 ? "equal" : `${value.toExponential(1)} of the largest value`);

/** Defaults fill an empty block, JSON brings settings back, unknown keys are refused. */
export function settings({ network, settings: given }: Subject): string {
  const empty = network.settings.safeParse({});
  if (!empty.success) throw new Broken(`an empty block is refused: ${empty.error.issues[0]?.message}`);
  const written = JSON.parse(JSON.stringify(given)) as unknown;
  const again = network.settings.safeParse(written);
  if (!again.success || !isDeepStrictEqual(again.data, given)) {
    throw new Broken(`JSON does not bring them back: ${JSON.stringify(written)}`);
  }
  if (network.settings.safeParse({ ...given, surely_no_setting: 1 }).success) {
    throw new Broken("unknown keys are accepted; use z.strictObject, so that a typing error is told");
  }
  return `${Object.keys(given).length} settings`;
}

/** (B, H, W, F) to (B, H, W, Fout) for several sizes and batches, all values finite. */
export function shapes(subject: Subject): string {
  const { shape } = subject;
  const odd = shape.map((size, i) => (size > 8 ? size - 3 - 2 * i : size + 1));
  const seen: string[] = [];
  for (const [size, batch] of [
    [shape, 1],
    [shape, 3],
    [odd, 2],
  ] as const) {
    torch.scope(() => {
      const y = outputOf(subject.make({ shape: size }).eval(), subject.input(batch, size));
      const wanted = [batch, ...subject.points(size), subject.outputs];
      const what = `batch ${batch} of ${times(size)}`;
      if (y.shape.join() !== wanted.join()) {
        throw new Broken(`${what} gives (${y.shape.join(", ")}), expected (${wanted.join(", ")})`);
      }
      if (!Number.isFinite(y.sum().item() as number)) throw new Broken(`${what} gives values that are not finite`);
      seen.push(`${batch}×${times(size)}`);
    });
  }
  return seen.join(", ");
}

/** The input is left as it was: the rollout uses it again. */
export function inputUntouched(subject: Subject): string {
  return torch.scope(() => {
    const x = subject.input(2);
    const copy = x.clone();
    for (const mode of [true, false]) {
      outputOf(subject.make().train(mode), x);
      if (!torch.equal(x, copy)) throw new Broken("forward writes into its argument; leave out in-place calls on it");
    }
    return "";
  });
}

/** One seed, one network: the same weights and the same output twice. */
export function seed(subject: Subject): string {
  return torch.scope(() => {
    const [a, b] = [subject.make(), subject.make()];
    const second = b.stateDict();
    for (const [name, tensor] of a.stateDict()) {
      if (!torch.equal(tensor, second.get(name)!))
        throw new Broken(`"${name}" differs between two networks of one seed`);
    }
    const x = subject.input(2);
    const difference = relativeDifference(outputOf(a.eval(), x), outputOf(b.eval(), x));
    if (difference > 0) throw new Broken(`outputs differ by ${small(difference)}`);
    return `${second.size} tensors`;
  });
}

/** Back-propagation reaches every parameter that is not frozen. */
export function gradients(subject: Subject): string {
  return torch.scope(() => {
    const network = subject.make();
    const parameters = [...network.namedParameters()].filter(([, parameter]) => parameter.requiresGrad);
    if (parameters.length === 0) throw new NotChecked("no parameters");
    network.forward(subject.input(2)).to("float32").square().mean().backward();
    const without = parameters.filter(([, { grad }]) => grad === null).map(([name]) => name);
    if (without.length > 0) throw new Broken(`none for ${listed(without)}: use them in forward, or freeze them`);
    const wild = parameters.filter(([, { grad }]) => !Number.isFinite(grad!.sum().item() as number));
    if (wild.length > 0) throw new Broken(`not finite for ${listed(wild.map(([name]) => name))}`);
    return `${parameters.length} parameters`;
  });
}

/** In evaluation the same input gives the same output, and nothing of the state changes. */
export function evaluation(subject: Subject): string {
  return torch.scope(() => {
    const network = subject.make().eval();
    const before = [...network.stateDict()].map(([name, tensor]) => [name, tensor.clone()] as const);
    const x = subject.input(2);
    const difference = relativeDifference(outputOf(network, x), outputOf(network, x));
    if (difference > 0) throw new Broken(`two calls differ by ${small(difference)}: is dropout on?`);
    const after = network.stateDict();
    const changed = before.filter(([name, tensor]) => !torch.equal(tensor, after.get(name)!)).map(([name]) => name);
    if (changed.length > 0) throw new Broken(`forward changes ${listed(changed)}`);
    return "";
  });
}

/** Dropout, stochastic depth and batch statistics are all that training mode changes. */
export function training(subject: Subject): string {
  return torch.scope(() => {
    const network = subject.make().eval();
    const x = subject.input(2);
    const expected = outputOf(network, x);
    network.train();
    const differing = network.modules().filter((module) => /Drop|(Batch|Instance)Norm/.test(module.constructor.name));
    for (const module of differing) module.eval();
    const difference = relativeDifference(outputOf(network, x), expected);
    if (difference > ROUNDING) {
      throw new Broken(`with dropout and normalisation as in evaluation, outputs differ by ${small(difference)}`);
    }
    const kinds = [...new Set(differing.map((module) => module.constructor.name))];
    return kinds.length === 0 ? "no difference" : `only by ${kinds.join(", ")}`;
  });
}

/** In evaluation a sample's output does not depend on what else is in the batch. */
export function batchIndependence(subject: Subject): string {
  return torch.scope(() => {
    const network = subject.make().eval();
    const x = subject.input(3);
    const together = outputOf(network, x);
    const alone = torch.cat([0, 1, 2].map((i) => outputOf(network, x.narrow(0, i, 1))));
    const difference = relativeDifference(together, alone);
    if (difference > ROUNDING)
      throw new Broken(`a sample alone differs by ${small(difference)} from it in a batch of 3`);
    return small(difference);
  });
}

/** Weights go through a safetensors file into a network of another seed, and the output is the same to the bit. */
export function stateDict(subject: Subject): string {
  const folder = mkdtempSync(join(tmpdir(), "foehn-check-"));
  try {
    return torch.scope(() => {
      const [network, other] = [subject.make(), subject.make({ seed: subject.seed + 7 })];
      outputOf(network, subject.input(2)); // training mode: statistics move away from their first values
      const state = network.stateDict();
      const path = join(folder, "weights.safetensors");
      if (state.size > 0) {
        torch.safetensors.save(path, state);
        other.loadStateDict(torch.safetensors.load(path).tensors);
      }
      const x = subject.input(2);
      const difference = relativeDifference(outputOf(other.eval(), x), outputOf(network.eval(), x));
      if (difference > 0) {
        throw new Broken(`outputs differ by ${small(difference)}: some state is in neither parameters nor buffers`);
      }
      return `${state.size} tensors`;
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** bfloat16 autocast, the default precision, gives nearly what float32 gives. */
export function bf16(subject: Subject): string {
  return torch.scope(() => {
    const network = subject.make().eval();
    const x = subject.input(2);
    const exact = outputOf(network, x);
    const y = torch.autocast({ device: "cpu", dtype: "bfloat16" }, () => outputOf(network, x));
    const rms = (tensor: Tensor) => Math.sqrt(tensor.square().mean().item() as number);
    const scale = rms(exact);
    const error = scale === 0 ? rms(y.sub(exact)) : rms(y.sub(exact)) / scale;
    if (!(error <= BF16)) throw new Broken(`the error is ${percent(error)} of the output, more than ${percent(BF16)}`);
    return `error ${percent(error)} of the output`;
  });
}

/** Where the class says `onnxSupported`, ONNX Runtime gives the same values for two batch sizes. */
export async function onnx(subject: Subject): Promise<string> {
  if (!subject.network.onnxSupported) throw new NotChecked("not declared: onnxSupported is false");
  const network: Network = subject.make().eval();
  const folder = mkdtempSync(join(tmpdir(), "foehn-check-"));
  try {
    const made = await torch.onnx.exportOnnx(network, [subject.input(2)], join(folder, "network.onnx"), {
      batchSizes: [1, 2],
    });
    return `${made.nodes} operators, ${small(made.maxRelativeDifference)}`;
  } catch (error) {
    if ((error as { code?: unknown }).code === "ERR_TORCH_ONNX_RUNTIME")
      throw new NotChecked("onnxruntime-node is not here");
    throw error;
  } finally {
    network.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
}

function listed(names: readonly string[]): string {
  const rest = names.length - 5;
  return names.slice(0, 5).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}
