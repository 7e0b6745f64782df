// torch.onnx: export to ONNX files, the check against ONNX Runtime, and running ONNX files.
export type { OnnxBuilder } from "./builder.js";
export { compareWithOnnxRuntime, type OnnxAgreement } from "./check.js";
export { type ExportOnnxOptions, exportOnnx, type OnnxExport, type OnnxOptions, opsets, toOnnx } from "./export.js";
export type { Translation, Translations } from "./operators/table.js";
export {
  type Attribute,
  elementTypes,
  encodeModel,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValueInfo,
} from "./proto.js";
export { type OnnxPort, OnnxSession, type OnnxSessionOptions, openOnnx } from "./session.js";
