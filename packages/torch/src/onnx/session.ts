// Running an ONNX file that somebody else made: tensors in, tensors out, by ONNX Runtime (the optional package onnxruntime-node).
// Not here: comparing an export with its network (check.ts).
import { fromTypedArray } from "../creation.js";
import type { TypedArray } from "../dtype.js";
import { TorchError } from "../errors.js";
import { scope } from "../scope.js";
import type { Tensor } from "../tensor.js";
import { loadOnnxRuntime, openSession, typeOf } from "./check.js";

/** An input or output of a model. */
export interface OnnxPort {
  readonly name: string;
  readonly dtype: string;
  /** A size that is open has a name, or none (""). Empty for a scalar, and where the file does not say. */
  readonly shape: readonly (number | string)[];
}

/** Options of `openOnnx`. */
export interface OnnxSessionOptions {
  /** Processor threads of one run. Default: ONNX Runtime's choice, one per core. */
  readonly threads?: number;
  /** `cpu` (default) or `cuda:0`, where onnxruntime-node has CUDA. */
  readonly device?: string;
}

type Session = Awaited<ReturnType<typeof openSession>>;
type Runtime = Awaited<ReturnType<typeof loadOnnxRuntime>>["runtime"];

/** An open model. Free it with `dispose` (or `using`). */
export class OnnxSession implements Disposable {
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
  readonly #runtime: Runtime;
  #session: Session | undefined;

  /** @internal Use `openOnnx`. */
  constructor(
    readonly path: string,
    runtime: Runtime,
    session: Session,
  ) {
    this.#runtime = runtime;
    this.#session = session;
    this.inputs = session.inputMetadata.map(portOf);
    this.outputs = session.outputMetadata.map(portOf);
  }

  /**
   * Runs the model off the main thread.
   * @param feeds by name; their memory is read, not copied
   * @returns outputs by name, on the CPU; the caller disposes them
   * @throws TorchError `ERR_TORCH_ONNX` when an input is missing or ONNX Runtime refuses them
   */
  async run(feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
    const session = this.#session;
    if (session === undefined) throw new TorchError(`${this.path} is closed`, { code: "ERR_TORCH_ONNX" });
    const missing = this.inputs.filter(({ name }) => feeds[name] === undefined);
    if (missing.length > 0) {
      throw new TorchError(`${this.path} also takes the input ${missing.map(({ name }) => name).join(", ")}`, {
        code: "ERR_TORCH_ONNX",
      });
    }
    // What is not contiguous on the CPU is copied, and the copies must live as long as the run.
    const held = Object.entries(feeds).map(
      ([name, tensor]) => [name, scope(() => tensor.detach().cpu().contiguous())] as const,
    );
    try {
      const given = held.map(([name, tensor]) => {
        const values = tensor.toTypedArray({ copy: false });
        return [name, new this.#runtime.Tensor(typeOf(tensor.dtype), values as never, tensor.shape)] as const;
      });
      const results = await session.run(Object.fromEntries(given));
      return Object.fromEntries(
        session.outputNames.map((name) => {
          const { data, dims } = results[name]!;
          return [name, fromTypedArray(data as TypedArray, dims)];
        }),
      );
    } catch (cause) {
      if (cause instanceof TorchError) throw cause;
      throw new TorchError(`${this.path}: ${cause instanceof Error ? cause.message : String(cause)}`, {
        code: "ERR_TORCH_ONNX",
        cause,
      });
    } finally {
      for (const [, tensor] of held) tensor.dispose();
    }
  }

  dispose(): void {
    const session = this.#session;
    this.#session = undefined;
    // Nothing waits for the memory, and what fails here has no consequence.
    void session?.release().catch(() => undefined);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Opens an ONNX file.
 * @throws TorchError `ERR_TORCH_ONNX_RUNTIME` when onnxruntime-node is not installed, `ERR_TORCH_ONNX` when it refuses the file
 */
export async function openOnnx(path: string, options: OnnxSessionOptions = {}): Promise<OnnxSession> {
  const { device = "cpu", threads } = options;
  const { runtime } = await loadOnnxRuntime("to run an ONNX file");
  const [kind, index] = device.split(":");
  const session = await openSession(runtime, path, {
    ...(threads === undefined ? {} : { intraOpNumThreads: threads }),
    ...(kind === "cuda" ? { executionProviders: [{ name: "cuda" as const, deviceId: Number(index ?? 0) }] } : {}),
  });
  return new OnnxSession(path, runtime, session);
}

function portOf(port: Session["inputMetadata"][number]): OnnxPort {
  return port.isTensor
    ? { name: port.name, dtype: port.type, shape: port.shape }
    : { name: port.name, dtype: "?", shape: [] };
}
