// torch.onnx: export to ONNX files, and the check against ONNX Runtime.
export type { OnnxBuilder } from "./builder.js";
export { compareWithOnnxRuntime, type OnnxAgreement } from "./check.js";
export { type ExportOnnxOptions, exportOnnx, type OnnxExport, type OnnxOptions, opsets, toOnnx } from "./export.js";
export type { Translation, Translations } from "./operators/table.js";
