// Layers, containers, initialisation and functional forms, with PyTorch's names and defaults.
export * from "./activations.js";
export { ModuleDict, ModuleList, Sequential } from "./containers.js";
export { Conv2d, type Conv2dOptions, ConvTranspose2d, type ConvTranspose2dOptions, type PaddingMode } from "./conv.js";
export { Dropout, Dropout2d } from "./dropout.js";
export { Embedding } from "./embedding.js";
export * as functional from "./functional.js";
export * as init from "./init.js";
export { Identity, Linear } from "./linear.js";
export * from "./losses.js";
export { Module, type ModuleTarget, type UnaryModule } from "./module.js";
export { BatchNorm2d, type BatchNormOptions, GroupNorm, InstanceNorm2d, LayerNorm } from "./norm.js";
export type { Size2 } from "./pair.js";
export { Parameter, type ParameterOptions } from "./parameter.js";
export { AdaptiveAvgPool2d, AvgPool2d, MaxPool2d, type PoolOptions } from "./pooling.js";
export { Flatten, PixelShuffle, PixelUnshuffle, Unflatten } from "./shape.js";
export { type LoadResult, type ShapeMismatch, StateDictError } from "./state-dict.js";
export { Upsample, UpsamplingBilinear2d, UpsamplingNearest2d } from "./upsample.js";
