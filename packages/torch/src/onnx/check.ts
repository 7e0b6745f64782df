// Does an ONNX file give what the network gives? It is run by ONNX Runtime (the optional package onnxruntime-node, loaded here only)
// on fresh random inputs, with more than one batch size.
import { createRequire } from "node:module";
import { fromTypedArray } from "../creation.js";
import type { DType, TypedArray } from "../dtype.js";
import { TorchError } from "../errors.js";
import { noGrad } from "../guards.js";
import { scope } from "../scope.js";
import type { Tensor } from "../tensor.js";

/** How far ONNX Runtime and the network are apart. */
export interface OnnxAgreement {
  /** Largest |a − b| over all outputs and batches. */
  readonly maxDifference: number;
  /** The same, divided by the largest |a| of that output. */
  readonly maxRelativeDifference: number;
  readonly batchSizes: readonly number[];
  readonly onnxruntime: string;
}

type Runtime = typeof import("onnxruntime-node");
type InferenceSession = Awaited<ReturnType<Runtime["InferenceSession"]["create"]>>;

/**
 * @param purpose what it is needed for: "to run an ONNX file"
 * @throws TorchError `ERR_TORCH_ONNX_RUNTIME` when onnxruntime-node is not installed or does not load
 */
export async function loadOnnxRuntime(
  purpose = "to check an ONNX export",
): Promise<{ runtime: Runtime; version: string }> {
  try {
    const require = createRequire(import.meta.url);
    const { version } = require("onnxruntime-node/package.json") as { version: string };
    const loaded = (await import("onnxruntime-node")) as Runtime & { default?: Runtime };
    return { runtime: loaded.default ?? loaded, version };
  } catch (cause) {
    throw new TorchError(
      `ONNX Runtime is needed ${purpose}, and the package onnxruntime-node is not here; install it: npm install onnxruntime-node --ignore-scripts`,
      { code: "ERR_TORCH_ONNX_RUNTIME", cause },
    );
  }
}

/**
 * Compares a model file with a function.
 * @param model path of the file, or its bytes
 * @param inputs makes fresh inputs for a batch size
 */
export async function compareWithOnnxRuntime(
  model: string | Uint8Array,
  fn: (...inputs: Tensor[]) => readonly Tensor[],
  inputs: (batch: number) => readonly Tensor[],
  batchSizes: readonly number[],
): Promise<OnnxAgreement> {
  const { runtime, version } = await loadOnnxRuntime();
  const session = await openSession(runtime, model);
  let [maxDifference, maxRelativeDifference] = [0, 0];
  try {
    for (const batch of batchSizes) {
      const given = inputs(batch);
      const feeds = Object.fromEntries(
        session.inputNames.map((name, i) => {
          const tensor = given[i]!;
          return [name, new runtime.Tensor(typeOf(tensor.dtype), tensor.toTypedArray() as never, tensor.shape)];
        }),
      );
      const results = await session.run(feeds);
      const apart = noGrad(() =>
        scope(() => {
          const expected = fn(...given);
          return session.outputNames.map((name, i) =>
            difference(expected[i]!, results[name]!.data as TypedArray, results[name]!.dims),
          );
        }),
      );
      for (const [absolute, relative] of apart) {
        maxDifference = worse(maxDifference, absolute);
        maxRelativeDifference = worse(maxRelativeDifference, relative);
      }
      for (const tensor of given) tensor.dispose();
    }
  } finally {
    await session.release();
  }
  return { maxDifference, maxRelativeDifference, batchSizes, onnxruntime: version };
}

/** @throws TorchError `ERR_TORCH_ONNX` when the file is no model, or has operators that ONNX Runtime does not know */
export async function openSession(
  runtime: Runtime,
  model: string | Uint8Array,
  options: Parameters<Runtime["InferenceSession"]["create"]>[1] = {},
): Promise<InferenceSession> {
  try {
    // Level 4 keeps its messages off the terminal; what matters comes as an error.
    return await runtime.InferenceSession.create(model as string, { logSeverityLevel: 4, ...options });
  } catch (cause) {
    throw new TorchError(`ONNX Runtime refuses the model: ${cause instanceof Error ? cause.message : String(cause)}`, {
      code: "ERR_TORCH_ONNX",
      cause,
    });
  }
}

/** The larger one, and NaN wins. */
const worse = (a: number, b: number): number => (Number.isNaN(a) || Number.isNaN(b) ? Number.NaN : Math.max(a, b));

function difference(
  expected: Tensor,
  values: TypedArray,
  dims: readonly number[],
): [absolute: number, relative: number] {
  if (`${expected.shape}` !== `${dims}`) return [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  if (expected.numel() === 0) return [0, 0];
  const a = expected.cpu().double();
  const b = fromTypedArray(values, dims).double();
  const absolute = a.sub(b).abs().max().item();
  const largest = a.abs().max().item();
  return [absolute, largest === 0 ? absolute : absolute / largest];
}

/** ONNX Runtime's name of an element type. @throws TorchError for one that is not given to it */
export function typeOf(dtype: DType): "float32" | "float64" | "int64" | "int32" | "bool" {
  if (dtype === "float32" || dtype === "float64" || dtype === "int64" || dtype === "int32" || dtype === "bool")
    return dtype;
  throw new TorchError(`an input of type ${dtype} cannot be given to ONNX Runtime here`, { code: "ERR_TORCH_ONNX" });
}
