// The native addon: where it is found, and its functions as types. Tensors are numbers here (handles); the rest of the
// package turns them into Tensor objects. Not part of the public API.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { makeNativeError, TorchError } from "./errors.js";

/** An operator as the library describes it. `type` is a code: see schema.ts. */
export interface NativeOperator {
  readonly id: number;
  readonly name: string;
  readonly schema: string;
  readonly arguments: readonly {
    readonly name: string;
    readonly type: string;
    readonly hasDefault: boolean;
    readonly defaultText?: string;
    readonly keywordOnly: boolean;
    readonly out: boolean;
  }[];
  readonly returns: readonly { readonly type: string; readonly aliasOf: number }[];
}

/** A value of TorchScript, with tensors as handles: see script-native.ts. */
export type Tagged =
  | null
  | undefined
  | number
  | bigint
  | boolean
  | string
  | { readonly t: number }
  | { readonly l: readonly Tagged[] }
  | { readonly u: readonly Tagged[] }
  | { readonly d: readonly (readonly [Tagged, Tagged])[] }
  | { readonly re: number; readonly im: number };

export interface NativeVersions {
  readonly libtorch: string;
  readonly cuda: string | null;
  readonly cudaProblem?: string;
  readonly operators: number;
  readonly mkldnn: boolean;
  readonly openmp: boolean;
  readonly mkl: boolean;
  readonly details: string;
  readonly parallel: string;
}

export interface NativeAutocast {
  readonly enabled: boolean;
  readonly dtype: number;
}

export interface Native {
  setup(counters: Float64Array, makeError: typeof makeNativeError): void;
  // operators
  operatorNames(): string[];
  overloads(name: string): NativeOperator[];
  operator(name: string): NativeOperator | null;
  dropObject(object: unknown): void;
  call(id: number, ...args: unknown[]): unknown;
  // handles
  release(handle: number): boolean;
  alive(handle: number): boolean;
  closeScope(handles: Float64Array, count: number, escaping: number[]): number;
  compact(handles: Float64Array, count: number): number;
  keep(handle: number): void;
  share(handle: number): number;
  flush(objects: unknown[], handles: Float64Array, count: number): void;
  sweep(): number;
  // one tensor
  sizes(handle: number): number;
  strides(handle: number): number;
  dtype(handle: number): number;
  device(handle: number): string;
  layout(handle: number): number;
  numel(handle: number): number;
  storageOffset(handle: number): number;
  storageAddress(handle: number): bigint | null;
  isContiguous(handle: number, format: number): boolean;
  item(handle: number): number;
  fromData(
    array: ArrayBufferView,
    dtype: number,
    shape: readonly number[],
    share: boolean,
    released?: Int32Array,
  ): number;
  copyOut(handle: number, array: ArrayBufferView): void;
  memory(handle: number): ArrayBuffer | null;
  // autograd
  backward(
    outputs: number[],
    grads: number[] | null,
    retainGraph: boolean,
    createGraph: boolean,
    inputs: number[] | null,
  ): void;
  gradients(
    outputs: number[],
    inputs: number[],
    grads: number[] | null,
    retainGraph: boolean,
    createGraph: boolean,
    allowUnused: boolean,
  ): number[];
  grad(handle: number): number;
  setGrad(handle: number, grad: number): void;
  requiresGrad(handle: number): boolean;
  setRequiresGrad(handle: number, on: boolean): void;
  isLeaf(handle: number): boolean;
  isInference(handle: number): boolean;
  gradFunction(handle: number): string | null;
  retainGrad(handle: number): void;
  setData(handle: number, source: number): void;
  version(handle: number): number;
  // modes
  gradEnabled(): boolean;
  setGradEnabled(on: boolean): boolean;
  pushInference(on: boolean): void;
  popInference(): void;
  inferenceEnabled(): boolean;
  autocastState(device: string): NativeAutocast;
  enterAutocast(device: string, enabled: boolean, dtype: number): NativeAutocast;
  exitAutocast(device: string, enabled: boolean, dtype: number): void;
  // random numbers
  manualSeed(seed: number | bigint): void;
  rngState(device: string): number;
  setRngState(device: string, state: number): void;
  newGenerator(device: string): number;
  generatorSeed(generator: number, seed: number | bigint): void;
  generatorState(generator: number): number;
  setGeneratorState(generator: number, state: number): void;
  // message passing
  graphEdgeSum(
    edge: number,
    sender: number,
    receiver: number,
    senders: number,
    receiverOffsets: number,
    senderOrder: number,
    senderOffsets: number,
    silu: boolean,
  ): number;
  graphSilu(first: number, second: number): number;
  graphNormSum(
    rows: number,
    weight: number,
    bias: number,
    shift: number,
    residual: number,
    offsets: number,
    eps: number,
    wantRows: boolean,
  ): number[];
  // machine
  versions(): NativeVersions;
  cpuFlags(): { avx2: boolean; avx512: boolean; avx512Bf16: boolean; amx: boolean; amxBf16: boolean };
  numThreads(): number;
  setNumThreads(count: number): void;
  cudaAvailable(): boolean;
  cudaCount(): number;
  cudaSynchronize(device?: number): void;
  setFlag(name: string, on: boolean): void;
  setTf32(on: boolean): void;
  cachedBytes(): number;
  emptyCache(): void;
  // TorchScript and pickles
  scriptLoad(path: string, device: string | null): number;
  scriptFree(module: number): void;
  scriptCompile(source: string, tensors: readonly (readonly [string, number, boolean])[]): number;
  scriptSave(module: number, path: string): void;
  scriptRun(module: number, method: string, args: readonly Tagged[]): Tagged;
  scriptRunAsync(module: number, method: string, args: readonly Tagged[]): Promise<Tagged>;
  scriptParameters(module: number): [string, number][];
  scriptBuffers(module: number): [string, number][];
  scriptTrain(module: number, on: boolean): void;
  scriptTo(module: number, device: string | null, dtype: number | null): void;
  scriptMethods(module: number): { name: string; schema: string }[];
  pickleSave(value: Tagged): Buffer;
}

/** Both halves see this array: see `Counter` in native/instance.h. The sizes of a tensor are passed from index 8 on. */
export const counters = new Float64Array(72);
export const PENDING_BYTES = 0;
export const LIVE_TENSORS = 1;
export const LIVE_BYTES = 2;
export const PEAK_BYTES = 3;
export const CREATED = 4;
export const COLLECTED = 5;
export const SCRATCH = 8;

function load(): Native {
  const override = process.env.FOEHN_TORCH_ADDON;
  const built = fileURLToPath(new URL("../build/Release/foehn_torch.node", import.meta.url));
  const file = override || built;
  const script = fileURLToPath(new URL("../scripts/build.mjs", import.meta.url));
  const remedy = `Build it with: node ${script}\n(LIBTORCH names a libtorch folder where the system has none; FOEHN_TORCH_ADDON names an addon built elsewhere.)`;
  if (!existsSync(file)) {
    const where = override ? `FOEHN_TORCH_ADDON=${file} does not exist` : `its native part is missing: ${file}`;
    throw new TorchError(`@foehn/torch cannot start, ${where}. ${remedy}`, { code: "ERR_TORCH_ADDON" });
  }
  // GNU OpenMP's threads wait for each other by spinning for milliseconds. Where other processes want the cores too, that is time taken
  // from the very thread waited for: with two busy processes beside it, a training step of 22 ms took 275 ms. This bound makes that 77 ms, and the step on a quiet machine
  // 5 % to 10 % longer at most; a tenth of it costs 20 % there.
  if (process.env.OMP_WAIT_POLICY === undefined) process.env.GOMP_SPINCOUNT ??= "10000";
  let addon: Native;
  try {
    addon = createRequire(import.meta.url)(file) as Native;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TorchError(`@foehn/torch cannot load ${file}: ${reason}. ${remedy}`, { code: "ERR_TORCH_ADDON", cause });
  }
  addon.setup(counters, makeNativeError);
  return addon;
}

export const native: Native = load();
