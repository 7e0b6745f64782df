// The part of the ZIP format that .pt and .npz files use: stored and deflated members, ZIP64 sizes, CRC checks; writing
// of stored members. No encryption, no multi-disk archives. Format: APPNOTE.TXT 6.3.10 (PKWARE), §4.3.
import { closeSync, fstatSync, openSync } from "node:fs";
import { crc32, inflateRawSync } from "node:zlib";
import { readExactly, writeAll } from "./disk.js";
import { TensorFileError } from "./errors.js";

interface Member {
  readonly method: number;
  readonly crc: number;
  readonly packedSize: number;
  readonly size: number;
  readonly headerOffset: number;
}

const END_SIZE = 22;
const LOCAL_SIZE = 30;
const CENTRAL_SIZE = 46;

/** A ZIP archive opened for reading. Holds a file handle: close it (or `using`). */
export class ZipFile implements Disposable {
  readonly #members = new Map<string, Member>();
  readonly #fd: number;

  constructor(readonly path: string) {
    this.#fd = openSync(path, "r");
    try {
      this.#readDirectory();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Names of the members, in the order of the directory. */
  names(): string[] {
    return [...this.#members.keys()];
  }

  has(name: string): boolean {
    return this.#members.has(name);
  }

  /** The unpacked bytes of one member, in a buffer of their own that starts at offset 0; its CRC is checked. */
  read(name: string): Uint8Array<ArrayBuffer> {
    const member = this.#members.get(name);
    if (member === undefined) throw new TensorFileError(this.path, `has no member "${name}"`);
    const local = this.#bytes(member.headerOffset, LOCAL_SIZE);
    if (local.getUint32(0, true) !== 0x04034b50) this.#fail(`member "${name}" is not where the directory says`);
    // The local header has its own name and extra lengths: .pt files pad there to align the data.
    const start = member.headerOffset + LOCAL_SIZE + local.getUint16(26, true) + local.getUint16(28, true);
    const packed = new Uint8Array(member.packedSize);
    readExactly(this.#fd, packed, start, this.path);
    let data = packed;
    if (member.method === 8) {
      try {
        const unpacked = inflateRawSync(packed, { maxOutputLength: Math.max(1, member.size) });
        data = new Uint8Array(unpacked); // a copy: the pool of Buffer is not aligned
      } catch (error) {
        throw new TensorFileError(this.path, `member "${name}" does not unpack: ${(error as Error).message}`, {
          cause: error,
        });
      }
    } else if (member.method !== 0) {
      this.#fail(`member "${name}" uses compression method ${member.method}; stored and deflate are read`);
    }
    if (data.byteLength !== member.size)
      this.#fail(`member "${name}" has ${data.byteLength} bytes, not ${member.size}`);
    if (crc32(data) !== member.crc)
      this.#fail(`member "${name}" is damaged (CRC mismatch); copy or download the file again`);
    return data;
  }

  close(): void {
    closeSync(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #fail(problem: string): never {
    throw new TensorFileError(this.path, problem);
  }

  #bytes(position: number, length: number): DataView {
    const bytes = new Uint8Array(length);
    readExactly(this.#fd, bytes, position, this.path);
    return new DataView(bytes.buffer);
  }

  #readDirectory(): void {
    const fileSize = fstatSync(this.#fd).size;
    const tailSize = Math.min(fileSize, END_SIZE + 0xffff);
    const tail = this.#bytes(fileSize - tailSize, tailSize);
    let end = tailSize - END_SIZE;
    while (end >= 0 && tail.getUint32(end, true) !== 0x06054b50) end--;
    if (end < 0) this.#fail("is not a ZIP archive, or its end is missing (truncated)");
    let count = tail.getUint16(end + 10, true);
    let size = tail.getUint32(end + 12, true);
    let offset = tail.getUint32(end + 16, true);
    if (end >= 20 && tail.getUint32(end - 20, true) === 0x07064b50) {
      const zip64 = this.#bytes(Number(tail.getBigUint64(end - 12, true)), 56);
      if (zip64.getUint32(0, true) !== 0x06064b50) this.#fail("has a damaged ZIP64 directory");
      count = Number(zip64.getBigUint64(32, true));
      size = Number(zip64.getBigUint64(40, true));
      offset = Number(zip64.getBigUint64(48, true));
    }
    if (offset + size > fileSize) this.#fail("has a directory that reaches past its end; truncated");
    this.#parseDirectory(this.#bytes(offset, size), count);
  }

  #parseDirectory(directory: DataView, count: number): void {
    let at = 0;
    for (let i = 0; i < count; i++) {
      if (at + CENTRAL_SIZE > directory.byteLength || directory.getUint32(at, true) !== 0x02014b50) {
        this.#fail(`has a damaged directory (entry ${i})`);
      }
      const nameLength = directory.getUint16(at + 28, true);
      const extraLength = directory.getUint16(at + 30, true);
      const commentLength = directory.getUint16(at + 32, true);
      if (directory.getUint16(at + 8, true) & 1) this.#fail("is encrypted");
      const nameStart = at + CENTRAL_SIZE;
      const name = new TextDecoder().decode(new Uint8Array(directory.buffer, nameStart, nameLength));
      const sizes = {
        size: directory.getUint32(at + 24, true),
        packedSize: directory.getUint32(at + 20, true),
        headerOffset: directory.getUint32(at + 42, true),
      };
      readZip64(directory, nameStart + nameLength, extraLength, sizes);
      this.#members.set(name, {
        ...sizes,
        method: directory.getUint16(at + 10, true),
        crc: directory.getUint32(at + 16, true),
      });
      at = nameStart + nameLength + extraLength + commentLength;
    }
  }
}

/** Replaces fields that hold the "see ZIP64" mark by the values of the ZIP64 extra field, which has only those, in this order. */
function readZip64(
  view: DataView,
  start: number,
  length: number,
  sizes: { size: number; packedSize: number; headerOffset: number },
): void {
  for (let at = start; at + 4 <= start + length; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== 0x0001) continue;
    let field = at + 4;
    for (const key of ["size", "packedSize", "headerOffset"] as const) {
      if (sizes[key] !== 0xffffffff) continue;
      sizes[key] = Number(view.getBigUint64(field, true));
      field += 8;
    }
  }
}

/** Writes an archive of stored members to an open file. Members under 4 GiB, archives under 4 GiB (`.npz` of that size exist nowhere we know). */
export function writeZip(fd: number, members: Iterable<readonly [name: string, data: Uint8Array]>, path: string): void {
  const central: Uint8Array[] = [];
  let offset = 0;
  let count = 0;
  for (const [name, data] of members) {
    const encoded = new TextEncoder().encode(name);
    if (offset + data.byteLength > 0xfffffff0) throw new TensorFileError(path, "would be over 4 GiB; use safetensors");
    const shared = new DataView(new ArrayBuffer(26));
    shared.setUint16(0, 20, true); // version needed
    shared.setUint16(2, 0x0800, true); // names are UTF-8
    shared.setUint16(8, 0x0021, true); // 1 January 1980: the same content gives the same bytes
    shared.setUint32(10, crc32(data), true);
    shared.setUint32(14, data.byteLength, true);
    shared.setUint32(18, data.byteLength, true);
    shared.setUint16(22, encoded.byteLength, true);
    const fields = new Uint8Array(shared.buffer);
    writeAll(fd, Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), fields, encoded, data]));
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    central.push(Buffer.concat([Buffer.from("PK\x01\x02\x14\x00", "latin1"), fields, place, encoded]));
    offset += LOCAL_SIZE + encoded.byteLength + data.byteLength;
    count++;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(END_SIZE);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(directory.byteLength, 12);
  end.writeUInt32LE(offset, 16);
  writeAll(fd, Buffer.concat([directory, end]));
}
