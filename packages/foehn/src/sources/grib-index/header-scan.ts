// The index of a remote GRIB file that has none: its messages are walked from one to the next by the lengths they state, with small
// range requests for their headers only. What is found is a description of each field that io/grib/ can read, and where its message is.
// Formats: WMO Manual on Codes I.2, FM 92 GRIB editions 1 and 2. Not here: keeping the index (remote-grib-source.ts).

import { FormatError } from "../../core/errors.js";
import { memoryReader } from "../../io/byte-reader.js";
import { type FieldLocation, headerMessage, type Section } from "../../io/grib/scan.js";

/** A field of the file. */
export interface ScannedField {
  /** The message that holds it. */
  readonly offset: number;
  readonly length: number;
  /** Number of the field in its message, from 1. */
  readonly field: number;
  /** A message that says the same of the field but holds no values. */
  readonly header: Uint8Array;
}

/** Reads bytes `[start, end)` of the file. */
export type ReadBytes = (start: number, end: number) => Promise<Uint8Array>;

/** Enough for the headers of a message on a regular grid. */
const smallWindow = 4096;
/** For files of small messages: several headers come with one request. */
const largeWindow = 1 << 18;

/**
 * Walks a file.
 * @param read reads a part; it is asked for one part after the other, since the place of a message is known from the one before
 * @param where address, for errors
 * @throws FormatError for a file that is not GRIB, is cut, or has a damaged header; and what `read` throws
 */
export async function scanHeaders(read: ReadBytes, size: number, where: string): Promise<ScannedField[]> {
  const file = new Window(read, size, where);
  const fields: ScannedField[] = [];
  let at = 0;
  for (let message = 1; ; message++) {
    const offset = await file.nextMessage(at, message);
    if (offset === undefined) break;
    const head = await file.bytes(offset, 8);
    const edition = head[7];
    if (edition !== 1 && edition !== 2) throw file.damaged(offset, `its edition is ${edition}`);
    const found = edition === 2 ? await scan2(file, message, offset) : await scan1(file, message, offset);
    fields.push(...found);
    at = offset + found[0]!.length;
    file.expect(found[0]!.length);
  }
  return fields;
}

/** The part of the file that is in memory. */
class Window {
  #bytes: Uint8Array = new Uint8Array();
  #start = 0;
  #size = smallWindow;

  constructor(
    readonly read: ReadBytes,
    readonly size: number,
    readonly where: string,
  ) {}

  /** After a message of this length: how much to read ahead. */
  expect(length: number): void {
    this.#size = length <= largeWindow / 8 ? largeWindow : smallWindow;
  }

  async bytes(offset: number, length: number): Promise<Buffer> {
    if (offset + length > this.size) throw this.damaged(offset, `it needs ${length} bytes, and the file ends before`);
    if (offset < this.#start || offset + length > this.#start + this.#bytes.length) {
      const end = Math.min(this.size, offset + Math.max(length, this.#size));
      this.#bytes = await this.read(offset, end);
      this.#start = offset;
    }
    const from = offset - this.#start;
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + from, length);
  }

  /** Where the next message begins; undefined when only padding is left. */
  async nextMessage(from: number, message: number): Promise<number | undefined> {
    let at = from;
    while (at + 8 <= this.size) {
      const bytes = await this.bytes(at, Math.min(64, this.size - at));
      const found = bytes.indexOf("GRIB", 0, "latin1");
      const gap = found < 0 ? bytes.subarray(0, Math.max(1, bytes.length - 3)) : bytes.subarray(0, found);
      // Bulletins carry a printable heading; anything else between messages means that one was lost.
      const foreign = gap.findIndex((b) => !(b <= 3 || b === 9 || b === 10 || b === 13 || (b >= 32 && b < 127)));
      if (foreign >= 0) {
        throw new FormatError(
          message === 1 ? "this is not a GRIB file" : "after a message come bytes that are not GRIB",
          {
            where: `${this.where}, byte ${at + foreign}`,
            hint: "check the address",
          },
        );
      }
      if (found >= 0) return at + found;
      at += gap.length;
      if (message === 1 && at - from > 4096) break;
    }
    if (message > 1) return undefined;
    throw new FormatError("this is not a GRIB file", { where: this.where, hint: "check the address" });
  }

  damaged(offset: number, what: string): FormatError {
    return new FormatError(`damaged GRIB message: ${what}`, {
      where: `${this.where}, message at byte ${offset}`,
      hint: "the file may still be on its way to the server; try again later",
    });
  }
}

async function scan2(file: Window, message: number, offset: number): Promise<ScannedField[]> {
  const head = Buffer.from(await file.bytes(offset, 16));
  const length = Number(head.readBigUInt64BE(8));
  const end = offset + length - 4;
  if (length < 41 || offset + length > file.size) throw file.damaged(offset, `it states a length of ${length} bytes`);
  const current = new Map<number, Buffer>();
  const fields: ScannedField[] = [];
  for (let at = offset + 16; at < end; ) {
    const start = await file.bytes(at, 5);
    const [size, number] = [start.readUInt32BE(0), start[4]!];
    if (size < 5 || at + size > end || number < 1 || number > 7)
      throw file.damaged(offset, `no section begins at byte ${at}`);
    // Of the values and the bitmap nothing is needed; coordinates and products are short.
    if (number <= 4) {
      if (size > 1 << 20) throw file.damaged(offset, `section ${number} has ${size} bytes`);
      current.set(number, Buffer.from(await file.bytes(at, size)));
    }
    at += size;
    if (number !== 7) continue;
    if (![1, 3, 4].every((n) => current.has(n))) throw file.damaged(offset, "sections are missing");
    const header = headerOf(head, 2, message, current);
    fields.push({ offset, length, field: fields.length + 1, header });
  }
  if (fields.length === 0) throw file.damaged(offset, "it holds no field");
  return fields;
}

async function scan1(file: Window, message: number, offset: number): Promise<ScannedField[]> {
  const head = Buffer.from(await file.bytes(offset, 8));
  const stated = head.readUIntBE(4, 3);
  const current = new Map<number, Buffer>();
  let at = offset + 8;
  const take = async (number: number, keep: boolean): Promise<number> => {
    const size = (await file.bytes(at, 3)).readUIntBE(0, 3);
    if (keep) current.set(number, Buffer.from(await file.bytes(at, size)));
    at += size;
    return size;
  };
  if ((await take(1, true)) < 28) throw file.damaged(offset, "its product section is too short");
  const flags = current.get(1)![7]!;
  if (flags & 0x80) await take(2, true);
  if (flags & 0x40) await take(3, false);
  const data = await take(4, false);
  // Messages over 8 MB count units of 120 bytes; section 4's length then holds the remainder.
  const large = (stated & 0x800000) !== 0 && data < 120;
  const length = large ? (stated & 0x7fffff) * 120 - data + 4 : stated;
  if (length < 44 || offset + length > file.size) throw file.damaged(offset, `it states a length of ${length} bytes`);
  return [{ offset, length, field: 1, header: headerOf(head, 1, message, current) }];
}

/** The kept sections as a message without values. */
function headerOf(head: Buffer, edition: 1 | 2, message: number, kept: ReadonlyMap<number, Buffer>): Uint8Array {
  const parts: Buffer[] = [head];
  const sections: Section[] = [];
  let at = head.length;
  for (const number of [1, 2, 3, 4]) {
    const section = kept.get(number);
    if (!section) continue;
    sections.push({ number, offset: at, length: section.length });
    parts.push(section);
    at += section.length;
  }
  const location: FieldLocation = { edition, message, field: 1, offset: 0, length: at, sections };
  return headerMessage(memoryReader(Buffer.concat(parts), "header"), location);
}
