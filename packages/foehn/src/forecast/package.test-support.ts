// Small packages for tests, written by hand as users write them: a metadata.json as text or object, and files.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import type { TimeLoop } from "./time-loop.js";

/** A folder of packages that goes away with `remove`. */
export class PackageFolder {
  readonly path = mkdtempSync(join(tmpdir(), "foehn-packages-"));

  /** Writes a package; gives its folder. */
  write(
    name: string,
    metadata: string | object | undefined,
    files: Readonly<Record<string, string | Uint8Array>> = {},
  ): string {
    const folder = join(this.path, name);
    const all = {
      ...(metadata === undefined
        ? {}
        : { "metadata.json": typeof metadata === "string" ? metadata : JSON.stringify(metadata) }),
      ...files,
    };
    mkdirSync(folder, { recursive: true });
    for (const [file, data] of Object.entries(all)) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), data);
    }
    return folder;
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** A zip of stored files. */
export function zipOf(files: Readonly<Record<string, Uint8Array>>): Uint8Array {
  const [parts, directory]: [Buffer[], Buffer[]] = [[], []];
  let offset = 0;
  for (const [name, data] of Object.entries(files)) {
    const header = Buffer.alloc(26);
    header.writeUInt16LE(20, 0);
    header.writeUInt32LE(crc32(data), 10);
    header.writeUInt32LE(data.length, 14);
    header.writeUInt32LE(data.length, 18);
    header.writeUInt16LE(name.length, 22);
    const central = Buffer.alloc(46);
    central.write("PK\x01\x02\x14\x03", "latin1");
    header.copy(central, 6);
    central.writeUInt32LE(offset, 42);
    directory.push(central, Buffer.from(name));
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), header, Buffer.from(name), data]);
    parts.push(local);
    offset += local.length;
  }
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06");
  end.writeUInt16LE(directory.length / 2, 8);
  end.writeUInt16LE(directory.length / 2, 10);
  end.writeUInt32LE(Buffer.concat(directory).length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, ...directory, end]);
}

/** A .npy file of float32 values. */
export function npy(values: readonly number[], shape: readonly number[] = [values.length]): Uint8Array {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`;
  const padded = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11, " ");
  const head = Buffer.concat([Buffer.from("\x93NUMPY\x01\x00", "latin1"), Buffer.from([padded.length + 1, 0])]);
  return Buffer.concat([head, Buffer.from(`${padded}\n`, "latin1"), Buffer.from(Float32Array.from(values).buffer)]);
}

/** A constant in an ONNX file. */
export interface OnnxConstant {
  readonly name: string;
  readonly values: readonly number[];
  readonly dims?: readonly number[];
  readonly type?: "float32" | "int64";
}

type Dims = readonly (number | string)[];

/** Bytes of an ONNX file, node by node: `["Add", ["x", "one"], ["y"]]`, float32 inputs and outputs. */
export function onnxFile(parts: {
  readonly inputs: Readonly<Record<string, Dims>>;
  readonly outputs: Readonly<Record<string, Dims>>;
  readonly nodes: readonly (readonly [
    type: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes?: Readonly<Record<string, torch.onnx.Attribute>>,
  ])[];
  readonly constants?: readonly OnnxConstant[];
}): Uint8Array {
  const ports = (named: Readonly<Record<string, Dims>>) =>
    Object.entries(named).map(([name, dims]) => ({ name, elementType: torch.onnx.elementTypes.float32!, dims }));
  return torch.onnx.encodeModel({
    irVersion: 8,
    opset: 17,
    producer: { name: "foehn-test", version: "0" },
    graphName: "test",
    description: "",
    metadata: {},
    nodes: parts.nodes.map(([type, inputs, outputs, attributes = {}], i) => ({
      name: `n${i}`,
      type,
      inputs,
      outputs,
      attributes,
    })),
    initializers: (parts.constants ?? []).map(({ name, values, dims = [values.length], type = "float32" }) => {
      const array = type === "int64" ? BigInt64Array.from(values, BigInt) : Float32Array.from(values);
      return { name, elementType: torch.onnx.elementTypes[type]!, dims, bytes: new Uint8Array(array.buffer) };
    }),
    inputs: ports(parts.inputs),
    outputs: ports(parts.outputs),
  });
}

/** The first `count` items of a forecast, each as its time and the numbers of its output. */
export async function items(
  loop: TimeLoop,
  time: number | readonly number[],
  x: Tensor,
  count: number,
): Promise<{ readonly times: readonly number[]; readonly values: number[] }[]> {
  const found: { times: readonly number[]; values: number[] }[] = [];
  for await (const { times, output } of loop.run(time, x)) {
    found.push({ times, values: [...(output.toTypedArray() as Float32Array)] });
    output.dispose();
    if (found.length === count) break;
  }
  return found;
}

/** An initial state (rows, history, channels, Y, X) whose channel `c` of level `h` of row `b` is `value(b, h, c)` everywhere. */
export function constantState(
  loop: TimeLoop,
  value: (channel: number, level: number, row: number) => number,
  rows = 1,
): Tensor {
  const [ny, nx] = loop.grid.shape;
  const shape = [rows, loop.nHistoryLevels, loop.inChannelNames.length, ny, nx] as const;
  const cells = ny * nx;
  const values = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => {
    const at = Math.floor(i / cells);
    const channel = at % shape[2];
    const level = Math.floor(at / shape[2]) % shape[1];
    return value(channel, level, Math.floor(at / shape[2] / shape[1]));
  });
  return torch.fromTypedArray(values, [...shape]);
}
