// TensorBoard's protocol-buffer messages, written field by field: Event, Summary (scalar, image, text, plugin data), SessionLog.
// Field numbers are those of event.proto, summary.proto and tensor.proto in TensorBoard. Only what Foehn writes is here.
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** A message that is written inside another one. */
export type Message = (writer: BinaryWriter) => void;

/** Writes a nested message as field `number`. */
export function message(writer: BinaryWriter, number: number, body: Message): void {
  writer.tag(number, WireType.LengthDelimited).fork();
  body(writer);
  writer.join();
}

export function stringField(writer: BinaryWriter, number: number, value: string): void {
  writer.tag(number, WireType.LengthDelimited).string(value);
}

export function doubleField(writer: BinaryWriter, number: number, value: number): void {
  writer.tag(number, WireType.Bit64).double(value);
}

export function varintField(writer: BinaryWriter, number: number, value: number): void {
  writer.tag(number, WireType.Varint).int64(value);
}

/** One Event: time in seconds since 1970, the step, and what happened. */
export function encodeEvent(wallTime: number, step: number, what: Message): Uint8Array {
  const writer = new BinaryWriter();
  doubleField(writer, 1, wallTime);
  // proto3 leaves zeros out.
  if (step !== 0) varintField(writer, 2, step);
  what(writer);
  return writer.finish();
}

/** Event.file_version: first record of every file. */
export const fileVersion: Message = (writer) => stringField(writer, 3, "brain.Event:2");

/** Event.session_log START: later events replace those of the same or a later step in older files of the folder. */
export const sessionStart: Message = (writer) => message(writer, 7, (log) => varintField(log, 1, 1));

/** Event.summary with one value. */
export function summary(tag: string, value: Message): Message {
  return (writer) =>
    message(writer, 5, (s) =>
      message(s, 1, (v) => {
        stringField(v, 1, tag);
        value(v);
      }),
    );
}

/** Value.simple_value, a float32. */
export function scalarValue(value: number): Message {
  return (writer) => {
    writer.tag(2, WireType.Bit32).float(value);
  };
}

/** Value.image with an encoded PNG. */
export function imageValue(png: Uint8Array, width: number, height: number): Message {
  return (writer) =>
    message(writer, 4, (image) => {
      varintField(image, 1, height);
      varintField(image, 2, width);
      varintField(image, 3, 4);
      image.tag(4, WireType.LengthDelimited).bytes(png);
    });
}

const floatType = 1;
const stringType = 7;

/** Value.tensor with one string, for the text plugin (which renders Markdown). */
export function textValue(markdown: string): Message {
  return (writer) => {
    message(writer, 8, (tensor) => {
      varintField(tensor, 1, stringType);
      message(tensor, 2, (shape) => message(shape, 2, (dim) => varintField(dim, 1, 1)));
      stringField(tensor, 8, markdown);
    });
    message(writer, 9, (metadata) => message(metadata, 1, (plugin) => stringField(plugin, 1, "text")));
  };
}

/** Value with data of a plugin and an empty tensor, which is how the hparams plugin stores its records. */
export function pluginValue(name: string, content: Uint8Array): Message {
  return (writer) => {
    message(writer, 8, (tensor) => {
      varintField(tensor, 1, floatType);
      message(tensor, 2, (shape) => message(shape, 2, () => {}));
    });
    message(writer, 9, (metadata) =>
      message(metadata, 1, (plugin) => {
        stringField(plugin, 1, name);
        plugin.tag(2, WireType.LengthDelimited).bytes(content);
      }),
    );
  };
}
