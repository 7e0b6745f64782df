// @foehn/torch: PyTorch for Node. Tensors, autograd, neural-network layers, optimizers, safetensors and TorchScript on libtorch.
//
//   import * as torch from "@foehn/torch";
//   const x = torch.randn([2, 3], { requiresGrad: true });
//   x.mul(x).sum().backward();
//   console.log(String(x.grad));
export * as autograd from "./autograd.js";
export * from "./creation.js";
export type { Device, DType, Layout, MemoryFormat, TypedArray } from "./dtype.js";
export { type ErrorArgument, TorchError } from "./errors.js";
export * from "./files/index.js";
export * from "./generated/functions.js";
export * as graph from "./graph.js";
export * from "./guards.js";
export { assignIndex, type Index, type Range } from "./indexing.js";
export * as nn from "./nn/index.js";
export * as onnx from "./onnx/index.js";
export { aten } from "./operators.js";
export * as optim from "./optim/index.js";
export * from "./random.js";
export type { Complex, Scalar } from "./schema.js";
export { dispose, type HoldsTensors, keep, scope, scopeAsync, tensorsOf } from "./scope.js";
export * from "./system.js";
export { type BackwardOptions, type NestedNumbers, Tensor, type ToOptions } from "./tensor.js";
export {
  type Fusions,
  fuseForInference,
  Graph,
  GraphRunner,
  type Traceable,
  type TraceOptions,
  trace,
} from "./trace/index.js";
