// Finds the fields in a GRIB file without decoding any: walks the messages and their sections by the lengths they state.
// Also assembles the bytes of one field as a message of its own, so that multi-field GRIB 2 messages need no special handling later.
// Formats: WMO Manual on Codes I.2, FM 92 GRIB edition 1 and 2. Not here: the meaning of the sections (product.ts, geometry.ts).

import { FormatError } from "../../core/errors.js";
import type { ByteReader } from "../byte-reader.js";

/** A section of a message: absolute byte offset in the file and length. */
export interface Section {
  readonly number: number;
  readonly offset: number;
  readonly length: number;
}

/** Where one field lies. */
export interface FieldLocation {
  readonly edition: 1 | 2;
  /** Position of the message in the file, from 1. */
  readonly message: number;
  /** Position of the field in its message, from 1. */
  readonly field: number;
  readonly offset: number;
  readonly length: number;
  /** Sections that describe this field, section 0 and the end section left out. */
  readonly sections: readonly Section[];
}

/** "message 12 at byte 40104" with the file, for errors. */
export function whereOf(path: string, location: { readonly message: number; readonly offset: number }): string {
  return `${path}, message ${location.message} at byte ${location.offset}`;
}

/**
 * All fields of a file in order.
 * @throws FormatError for an empty or foreign file, a truncated or damaged message, and bytes between messages that are
 * neither padding nor a bulletin heading; each names the message and the byte
 */
export function scanGrib(file: ByteReader): FieldLocation[] {
  const fields: FieldLocation[] = [];
  if (file.size === 0) {
    throw new FormatError("the file is empty", {
      where: file.path,
      hint: "the download may have failed; fetch it again",
    });
  }
  let offset = 0;
  let message = 0;
  for (;;) {
    offset = nextMessage(file, offset, message);
    if (offset < 0) break;
    message++;
    const edition = file.bytes(offset, 8, () => truncated(file, message, offset, undefined))[7]!;
    if (edition !== 1 && edition !== 2) {
      throw new FormatError(`this GRIB message has edition ${edition}; editions 1 and 2 can be read`, {
        where: whereOf(file.path, { message, offset }),
      });
    }
    const found = edition === 1 ? scanEdition1(file, message, offset) : scanEdition2(file, message, offset);
    for (const field of found) fields.push(field);
    offset += found[0]!.length;
  }
  return fields;
}

/** Offset of the next "GRIB" at or after `from`, or -1 when only padding is left. */
function nextMessage(file: ByteReader, from: number, messagesBefore: number): number {
  let at = from;
  while (at < file.size) {
    const bytes = file.bytes(at, Math.min(4096, file.size - at));
    const found = bytes.indexOf("GRIB", 0, "latin1");
    const gap = found < 0 ? bytes : bytes.subarray(0, found);
    const foreign = gap.findIndex((byte) => !isPadding(byte));
    if (foreign >= 0) throw foreignBytes(file, at + foreign, messagesBefore);
    if (found >= 0) return at + found;
    if (at + bytes.length === file.size) {
      const cut = /G(R|RI)?$/.exec(bytes.toString("latin1"));
      if (cut && messagesBefore > 0) throw truncated(file, messagesBefore + 1, at + cut.index, undefined);
      break;
    }
    at += bytes.length - 3; // "GRIB" may straddle two windows
  }
  if (messagesBefore === 0) throw foreignBytes(file, from, 0);
  return -1;
}

/** Zero padding and the printable headings that bulletins carry around GRIB messages. */
function isPadding(byte: number): boolean {
  return byte <= 3 || byte === 9 || byte === 10 || byte === 13 || (byte >= 32 && byte < 127);
}

function foreignBytes(file: ByteReader, offset: number, messagesBefore: number): FormatError {
  const sample = file.bytes(offset, Math.min(8, file.size - offset)).toString("hex");
  if (messagesBefore === 0) {
    return new FormatError(`this is not a GRIB file: it starts with the bytes ${sample}`, { where: file.path });
  }
  return new FormatError(`after message ${messagesBefore} come bytes that are not GRIB (${sample})`, {
    where: `${file.path}, byte ${offset}`,
    hint: "the file is damaged there: a message may be lost; fetch it again",
  });
}

function truncated(file: ByteReader, message: number, offset: number, length: number | undefined): FormatError {
  const have = file.size - offset;
  const size = length === undefined ? "its header" : `${length} bytes`;
  return new FormatError(
    `the GRIB file is cut short: message ${message} needs ${size}, but only ${have} bytes are left`,
    {
      where: whereOf(file.path, { message, offset }),
      hint: "the download or copy was interrupted; fetch the file again",
    },
  );
}

function damaged(file: ByteReader, message: number, offset: number, what: string): FormatError {
  return new FormatError(`damaged GRIB message: ${what}`, {
    where: whereOf(file.path, { message, offset }),
    hint: "fetch the file again",
  });
}

function checkExtent(file: ByteReader, message: number, offset: number, length: number): void {
  if (offset + length > file.size) throw truncated(file, message, offset, length);
  if (file.bytes(offset + length - 4, 4).toString("latin1") !== "7777") {
    throw damaged(file, message, offset, `it does not end in "7777" after the ${length} bytes that it states`);
  }
}

function scanEdition1(file: ByteReader, message: number, offset: number): FieldLocation[] {
  const short = () => truncated(file, message, offset, undefined);
  const stated = file.bytes(offset, 8, short).readUIntBE(4, 3);
  const sections: Section[] = [];
  let at = offset + 8;
  const add = (number: number): number => {
    const length = file.bytes(at, 3, short).readUIntBE(0, 3);
    sections.push({ number, offset: at, length });
    at += length;
    return length;
  };
  if (add(1) < 28) throw damaged(file, message, offset, "its product section is shorter than 28 bytes");
  const flags = file.bytes(offset + 8, 8, short)[7]!;
  // Look no further than the file: a cut message is reported by its full length where that is known.
  const known = stated & 0x800000 ? undefined : stated;
  if (known !== undefined) checkExtent(file, message, offset, known);
  if (flags & 0x80) add(2);
  if (flags & 0x40) add(3);
  const dataLength = add(4);
  // Messages over 8 MB do not fit 24 bits: the length then counts units of 120 bytes and section 4's field holds the remainder.
  const large = (stated & 0x800000) !== 0 && dataLength < 120;
  const length = large ? (stated & 0x7fffff) * 120 - dataLength + 4 : stated;
  if (length !== known) checkExtent(file, message, offset, length);
  const data = sections.pop()!;
  sections.push(large ? { ...data, length: offset + length - 4 - data.offset } : data);
  if (!large && at !== offset + length - 4) {
    // Some encoders pad section 4 to an even length without counting it; sections may not run over the end.
    if (at > offset + length - 4) throw damaged(file, message, offset, "its sections are longer than the message");
  }
  return [{ edition: 1, message, field: 1, offset, length, sections }];
}

function scanEdition2(file: ByteReader, message: number, offset: number): FieldLocation[] {
  const head = file.bytes(offset, 16, () => truncated(file, message, offset, undefined));
  const length = Number(head.readBigUInt64BE(8));
  if (length < 16 + 21 + 4) throw damaged(file, message, offset, `it states a length of ${length} bytes`);
  checkExtent(file, message, offset, length);
  const fields: FieldLocation[] = [];
  const current = new Map<number, Section>();
  let bitmap: Section | undefined;
  let at = offset + 16;
  const end = offset + length - 4;
  while (at < end) {
    const header = file.bytes(at, Math.min(6, end - at));
    const size = header.length < 5 ? 0 : header.readUInt32BE(0);
    const number = header[4] ?? 0;
    if (size < 5 || at + size > end || number < 1 || number > 7) {
      throw damaged(file, message, offset, `there is no valid section at byte ${at}`);
    }
    let section: Section = { number, offset: at, length: size };
    if (number === 6) {
      // 254: the bitmap defined before in this message; 255: none.
      if (header[5] === 254) {
        if (!bitmap) throw damaged(file, message, offset, "it refers to an earlier bitmap, but has none");
        section = bitmap;
      } else if (header[5] === 0) bitmap = section;
    }
    current.set(number, section);
    at += size;
    if (number !== 7) continue;
    const sections = [1, 2, 3, 4, 5, 6, 7].flatMap((n) => current.get(n) ?? []);
    if (sections.length < (current.has(2) ? 7 : 6)) throw damaged(file, message, offset, "sections are missing");
    fields.push({ edition: 2, message, field: fields.length + 1, offset, length, sections });
  }
  if (fields.length === 0) throw damaged(file, message, offset, "it holds no field");
  return fields;
}

/** The bytes of one section (the first `most` of them), or an empty buffer when the field has none of that number. */
export function sectionBytes(file: ByteReader, location: FieldLocation, number: number, most = Infinity): Buffer {
  const section = location.sections.find((s) => s.number === number);
  return section ? file.bytes(section.offset, Math.min(section.length, most)) : Buffer.alloc(0);
}

/** One field as a complete message of its own. */
export function fieldMessage(file: ByteReader, location: FieldLocation): Buffer {
  if (location.edition === 1) return file.bytes(location.offset, location.length);
  return assemble(
    file,
    location,
    location.sections.map((s) => file.bytes(s.offset, s.length)),
  );
}

/**
 * A small message that says the same about the field but holds a constant in place of its values: enough for every header key,
 * and cheap for fields of any size.
 */
export function headerMessage(file: ByteReader, location: FieldLocation): Buffer {
  const copy = (number: number) => Buffer.from(sectionBytes(file, location, number));
  if (location.edition === 1) {
    const product = copy(1);
    product[7]! &= ~0x40; // no bitmap section
    const data = Buffer.alloc(12);
    data.writeUIntBE(12, 0, 3);
    return assemble(file, location, [product, copy(2), data]);
  }
  const geometry = copy(3);
  const packing = Buffer.alloc(21);
  packing.writeUInt32BE(21, 0);
  packing[4] = 5;
  geometry.copy(packing, 5, 6, 10); // number of points
  const bitmap = Buffer.from([0, 0, 0, 6, 6, 255]);
  const data = Buffer.from([0, 0, 0, 5, 7]);
  return assemble(file, location, [copy(1), copy(2), geometry, copy(4), packing, bitmap, data]);
}

function assemble(file: ByteReader, location: FieldLocation, sections: readonly Buffer[]): Buffer {
  const head = Buffer.from(file.bytes(location.offset, location.edition === 1 ? 8 : 16));
  const message = Buffer.concat([head, ...sections, Buffer.from("7777")]);
  if (location.edition === 1) message.writeUIntBE(message.length, 4, 3);
  else message.writeBigUInt64BE(BigInt(message.length), 8);
  return message;
}
