// Tensor files: safetensors, what Python's torch.save wrote, TorchScript, NumPy.
export { TensorFileError } from "./errors.js";
export * as npy from "./npy.js";
export { PickledGlobal, PickledObject } from "./pickle.js";
export { load, loadStateDict, type PtLoadOptions, saveStateDict } from "./pt.js";
export * as safetensors from "./safetensors.js";
export * as jit from "./torchscript.js";
