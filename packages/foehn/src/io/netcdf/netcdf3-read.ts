// Reads NetCDF classic, 64-bit offset (CDF-2) and 64-bit data (CDF-5) files by offset arithmetic: a block of a variable touches only its
// own bytes. Format: "NetCDF Classic Format Specification" and PnetCDF's "CDF-5 Format Specification". Writing is elsewhere.

import { DataError, FormatError } from "../../core/errors.js";
import { type ByteReader, withFile } from "../byte-reader.js";
import type { AttributeValue, ElementType, NumericArray } from "../labelled-arrays.js";
import { blockOf, runsOf } from "./blocks.js";
import type { NetcdfDimension, NetcdfFile, NetcdfVariable } from "./read.js";

/** External types by their code: name, bytes, array constructor. Characters are read as bytes. */
const types = new Map<number, { name: ElementType; size: number; make: (buffer: ArrayBuffer) => NumericArray }>([
  [1, { name: "int8", size: 1, make: (b) => new Int8Array(b) }],
  [2, { name: "char", size: 1, make: (b) => new Uint8Array(b) }],
  [3, { name: "int16", size: 2, make: (b) => new Int16Array(b) }],
  [4, { name: "int32", size: 4, make: (b) => new Int32Array(b) }],
  [5, { name: "float32", size: 4, make: (b) => new Float32Array(b) }],
  [6, { name: "float64", size: 8, make: (b) => new Float64Array(b) }],
  [7, { name: "uint8", size: 1, make: (b) => new Uint8Array(b) }],
  [8, { name: "uint16", size: 2, make: (b) => new Uint16Array(b) }],
  [9, { name: "uint32", size: 4, make: (b) => new Uint32Array(b) }],
  [10, { name: "int64", size: 8, make: (b) => new BigInt64Array(b) }],
  [11, { name: "uint64", size: 8, make: (b) => new BigUint64Array(b) }],
]);

interface Layout {
  readonly name: string;
  readonly type: number;
  readonly dimensions: readonly number[];
  readonly attributes: Record<string, AttributeValue>;
  readonly begin: number;
}

/** Reads the header item by item; knows the widths that the three versions use. */
class HeaderReader {
  #at = 4;

  constructor(
    private readonly file: ByteReader,
    private readonly version: number,
  ) {}

  #bytes(length: number): Buffer {
    const bytes = this.file.bytes(this.#at, length, () => cutShort(this.file, this.#at + length));
    this.#at += length;
    return bytes;
  }

  int(): number {
    return this.#bytes(4).readUInt32BE(0);
  }

  #wide(): number {
    const value = this.#bytes(8).readBigUInt64BE(0);
    if (value > BigInt(Number.MAX_SAFE_INTEGER) && value !== 0xffff_ffff_ffff_ffffn)
      throw this.damaged("a number is out of range");
    return value === 0xffff_ffff_ffff_ffffn ? -1 : Number(value);
  }

  /** Sizes and counts: 8 bytes in CDF-5, 4 before. Streaming (all ones) reads as -1. */
  size(): number {
    if (this.version === 5) return this.#wide();
    const value = this.int();
    return value === 0xffff_ffff ? -1 : value;
  }

  offset(): number {
    return this.version === 1 ? this.int() : this.#wide();
  }

  name(): string {
    const length = this.size();
    this.#guard(length, 1);
    const text = this.#bytes(length).toString("utf8");
    this.#pad(length);
    return text;
  }

  /** A list: absent (two zeros) or a tag and a count. */
  list<T>(tag: number, item: () => T): T[] {
    const found = this.int();
    const count = this.size();
    if (found === 0 && count === 0) return [];
    if (found !== tag) throw this.damaged(`expected list ${tag}, found ${found}`);
    this.#guard(count, 4);
    return Array.from({ length: count }, item);
  }

  attribute(): [string, AttributeValue] {
    const name = this.name();
    const code = this.int();
    const type = types.get(code);
    if (!type) throw this.damaged(`attribute "${name}" has the unknown type ${code}`);
    const count = this.size();
    this.#guard(count, type.size);
    const raw = Buffer.from(this.#bytes(count * type.size));
    this.#pad(count * type.size);
    if (type.name === "char") return [name, raw.toString("utf8").replace(/\0+$/, "")];
    const values = Array.from(decode(raw, code) as ArrayLike<number | bigint>, Number);
    return [name, values.length === 1 ? values[0]! : values];
  }

  #pad(length: number): void {
    this.#at += (4 - (length % 4)) % 4;
  }

  /** Refuses counts that cannot be: the file would have to be longer than it is. */
  #guard(count: number, bytesEach: number): void {
    if (count < 0 || this.#at + count * bytesEach > this.file.size)
      throw cutShort(this.file, this.#at + count * bytesEach);
  }

  damaged(what: string): FormatError {
    return new FormatError(`damaged NetCDF header: ${what}`, {
      where: `${this.file.path}, byte ${this.#at}`,
      hint: "fetch the file again",
    });
  }
}

function cutShort(file: ByteReader, needed: number, what = "its header"): FormatError {
  return new FormatError(`the NetCDF file is cut short: ${what} ends at byte ${needed}, the file at ${file.size}`, {
    where: file.path,
    hint: "the download or copy was interrupted; fetch the file again",
  });
}

/** Swaps the big-endian bytes in place of a fresh buffer and views them as numbers. */
function decode(bytes: Buffer, code: number): NumericArray {
  const { size, make } = types.get(code)!;
  const copy = new ArrayBuffer(bytes.length);
  const view = Buffer.from(copy);
  bytes.copy(view);
  swap(view, size);
  return make(copy);
}

function swap(bytes: Buffer, size: number): void {
  if (size === 2) bytes.swap16();
  else if (size === 4) bytes.swap32();
  else if (size === 8) bytes.swap64();
}

/**
 * Opens a classic NetCDF file. It holds no file descriptor.
 * @throws FormatError when it is not one, is cut short or damaged
 */
export function openNetcdf3(path: string): NetcdfFile {
  return withFile(path, (file) => {
    const magic = file.bytes(0, 4, () => cutShort(file, 4));
    const version = magic[3]!;
    if (magic.toString("latin1", 0, 3) !== "CDF" || ![1, 2, 5].includes(version)) {
      throw new FormatError("this is not a classic NetCDF file", { where: path });
    }
    const header = new HeaderReader(file, version);
    const statedRecords = header.size();
    const lengths = header.list(10, () => ({ name: header.name(), length: header.size() }));
    const attributes = Object.fromEntries(header.list(12, () => header.attribute()));
    const layouts = header.list(11, (): Layout => {
      const name = header.name();
      const rank = header.size();
      if (rank > 1024) throw header.damaged(`variable "${name}" has ${rank} dimensions`);
      const dimensions = Array.from({ length: rank }, () => header.size());
      if (dimensions.some((id) => lengths[id] === undefined))
        throw header.damaged(`variable "${name}" names an unknown dimension`);
      const own = Object.fromEntries(header.list(12, () => header.attribute()));
      const type = header.int();
      if (!types.has(type)) throw header.damaged(`variable "${name}" has the unknown type ${type}`);
      header.size(); // its size in bytes follows from the shape, and overflows in large files
      return { name, type, dimensions, attributes: own, begin: header.offset() };
    });
    // Dimensions written without a variable may have length 0; the record dimension is the one of stated length 0.
    const recordDimension = lengths.findIndex((d) => d.length === 0);
    const isRecord = (v: Layout) => recordDimension >= 0 && v.dimensions[0] === recordDimension;
    const fixedBytes = (v: Layout) =>
      v.dimensions.slice(isRecord(v) ? 1 : 0).reduce((n, id) => n * lengths[id]!.length, types.get(v.type)!.size);
    const recordVariables = layouts.filter(isRecord);
    const padded = (n: number) => Math.ceil(n / 4) * 4;
    // A single record variable is stored without padding between its records.
    const recordBytes =
      recordVariables.length === 1
        ? fixedBytes(recordVariables[0]!)
        : recordVariables.reduce((sum, v) => sum + padded(fixedBytes(v)), 0);
    const firstRecord = Math.min(...recordVariables.map((v) => v.begin));
    const records =
      statedRecords >= 0 ? statedRecords : recordBytes > 0 ? Math.floor((file.size - firstRecord) / recordBytes) : 0;
    for (const v of layouts) {
      const whole = isRecord(v) ? (records === 0 ? 0 : (records - 1) * recordBytes + fixedBytes(v)) : fixedBytes(v);
      if (whole > 0 && v.begin + whole > file.size) throw cutShort(file, v.begin + whole, `variable "${v.name}"`);
    }
    const dimensions = lengths.map(
      ({ name, length }, id): NetcdfDimension => ({
        name,
        size: id === recordDimension ? records : length,
        unlimited: id === recordDimension,
      }),
    );
    const variables = layouts.map((v) => variable(path, v, dimensions, isRecord(v) ? recordBytes : undefined));
    const format = version === 1 ? "classic" : version === 2 ? "64-bit offset" : "64-bit data";
    const close = (): void => {};
    return { path, format, dimensions, variables, attributes, close, [Symbol.dispose]: close };
  });
}

function variable(
  path: string,
  layout: Layout,
  all: readonly NetcdfDimension[],
  recordBytes: number | undefined,
): NetcdfVariable {
  const { name, attributes, begin } = layout;
  const type = types.get(layout.type)!;
  const dimensions = layout.dimensions.map((id) => all[id]!.name);
  const shape = layout.dimensions.map((id) => all[id]!.size);
  const perRecord = shape.slice(1).reduce((n, size) => n * size, 1);

  const read = (start?: readonly number[], count?: readonly number[]): NumericArray => {
    const block = blockOf(name, shape, start, count);
    const buffer = new ArrayBuffer(block.size * type.size);
    const out = Buffer.from(buffer);
    let done = 0;
    withFile(path, (file) => {
      const copy = (offset: number, elements: number) => {
        done += file.bytes(offset, elements * type.size).copy(out, done);
      };
      for (const [element, length] of runsOf(shape, block)) {
        if (recordBytes === undefined) copy(begin + element * type.size, length);
        else {
          // Records of other variables lie between those of this one.
          for (let at = element, left = length; left > 0; ) {
            const record = Math.floor(at / perRecord);
            const inRecord = at - record * perRecord;
            const n = Math.min(left, perRecord - inRecord);
            copy(begin + record * recordBytes + inRecord * type.size, n);
            at += n;
            left -= n;
          }
        }
      }
    });
    swap(out, type.size);
    return type.make(buffer);
  };

  const readText = (): string[] => {
    if (type.name !== "char") throw new DataError(`"${name}" holds numbers (${type.name}), not text`, { where: path });
    const bytes = Buffer.from(read() as Uint8Array);
    const width = shape.at(-1) ?? 1;
    const texts: string[] = [];
    for (let at = 0; at < bytes.length; at += width) {
      texts.push(bytes.toString("utf8", at, at + width).replace(/\0+$/, ""));
    }
    return texts;
  };

  return { name, type: type.name, dimensions, shape, attributes, read, readText };
}
