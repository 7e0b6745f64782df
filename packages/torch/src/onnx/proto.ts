// ONNX's protocol-buffer messages, written field by field: Model, Graph, Node, Attribute, Tensor, ValueInfo.
// Field numbers are those of onnx.proto (onnx/onnx on GitHub). Only what the exporter writes is here.
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { DType } from "../dtype.js";

/** An attribute: a whole number, a float, text, or a list of whole numbers or floats. */
export type Attribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly text: string }
  | { readonly ints: readonly number[] }
  | { readonly floats: readonly number[] }
  | { readonly tensor: OnnxTensor };

/** Element types of ONNX (TensorProto.DataType). */
export const elementTypes: Partial<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float64: 11,
};

/** A tensor with its values, little-endian. */
export interface OnnxTensor {
  readonly name: string;
  readonly elementType: number;
  readonly dims: readonly number[];
  readonly bytes: Uint8Array;
}

export interface OnnxNode {
  readonly name: string;
  readonly type: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** Name, element type and sizes of an input or output; a size that is open has a name. */
export interface OnnxValueInfo {
  readonly name: string;
  readonly elementType: number;
  readonly dims: readonly (number | string)[];
}

export interface OnnxModel {
  readonly irVersion: number;
  readonly opset: number;
  readonly producer: { readonly name: string; readonly version: string };
  readonly graphName: string;
  readonly description: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: Iterable<OnnxTensor>;
  readonly inputs: readonly OnnxValueInfo[];
  readonly outputs: readonly OnnxValueInfo[];
  readonly metadata: Readonly<Record<string, string>>;
}

type Body = (writer: BinaryWriter) => void;

function message(writer: BinaryWriter, field: number, body: Body): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  body(writer);
  writer.join();
}

function text(writer: BinaryWriter, field: number, value: string): void {
  writer.tag(field, WireType.LengthDelimited).string(value);
}

function int(writer: BinaryWriter, field: number, value: number): void {
  writer.tag(field, WireType.Varint).int64(value);
}

function packedInts(writer: BinaryWriter, field: number, values: readonly number[]): void {
  message(writer, field, (list) => {
    for (const value of values) list.int64(value);
  });
}

/** The bytes of a model file. */
export function encodeModel(model: OnnxModel): Uint8Array {
  const writer = new BinaryWriter();
  int(writer, 1, model.irVersion);
  text(writer, 2, model.producer.name);
  text(writer, 3, model.producer.version);
  if (model.description !== "") text(writer, 6, model.description);
  message(writer, 7, (graph) => {
    for (const node of model.nodes) message(graph, 1, nodeBody(node));
    text(graph, 2, model.graphName);
    for (const tensor of model.initializers) message(graph, 5, tensorBody(tensor));
    for (const info of model.inputs) message(graph, 11, infoBody(info));
    for (const info of model.outputs) message(graph, 12, infoBody(info));
  });
  message(writer, 8, (opset) => int(opset, 2, model.opset));
  for (const [key, value] of Object.entries(model.metadata)) {
    message(writer, 14, (entry) => {
      text(entry, 1, key);
      text(entry, 2, value);
    });
  }
  return writer.finish();
}

function nodeBody(node: OnnxNode): Body {
  return (writer) => {
    for (const name of node.inputs) text(writer, 1, name);
    for (const name of node.outputs) text(writer, 2, name);
    text(writer, 3, node.name);
    text(writer, 4, node.type);
    for (const [name, value] of Object.entries(node.attributes)) message(writer, 5, attributeBody(name, value));
  };
}

// AttributeProto.type: FLOAT 1, INT 2, STRING 3, TENSOR 4, FLOATS 6, INTS 7.
function attributeBody(name: string, value: Attribute): Body {
  return (writer) => {
    text(writer, 1, name);
    let type: number;
    if ("float" in value) {
      type = 1;
      writer.tag(2, WireType.Bit32).float(value.float);
    } else if ("int" in value) {
      type = 2;
      int(writer, 3, value.int);
    } else if ("text" in value) {
      type = 3;
      text(writer, 4, value.text);
    } else if ("tensor" in value) {
      type = 4;
      message(writer, 5, tensorBody(value.tensor));
    } else if ("floats" in value) {
      type = 6;
      message(writer, 7, (list) => {
        for (const item of value.floats) list.float(item);
      });
    } else {
      type = 7;
      packedInts(writer, 8, value.ints);
    }
    int(writer, 20, type);
  };
}

function tensorBody(tensor: OnnxTensor): Body {
  return (writer) => {
    if (tensor.dims.length > 0) packedInts(writer, 1, tensor.dims);
    int(writer, 2, tensor.elementType);
    if (tensor.name !== "") text(writer, 8, tensor.name);
    writer.tag(9, WireType.LengthDelimited).bytes(tensor.bytes);
  };
}

function infoBody(info: OnnxValueInfo): Body {
  return (writer) => {
    text(writer, 1, info.name);
    message(writer, 2, (type) =>
      message(type, 1, (tensor) => {
        int(tensor, 1, info.elementType);
        message(tensor, 2, (shape) => {
          for (const size of info.dims) {
            message(shape, 1, (dim) => (typeof size === "number" ? int(dim, 1, size) : text(dim, 2, size)));
          }
        });
      }),
    );
  };
}
