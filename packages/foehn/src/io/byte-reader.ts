// Random access to the bytes of a file through one read-ahead window. The file is opened for each burst of reads and closed after it
// (`withFile`), so that a thousand sources hold no descriptors. Bytes that are in memory already read the same way (`memoryReader`).

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { FormatError, StorageError } from "../core/errors.js";

const windowSize = 16 * 1024;

/** A file opened for reading. */
export class ByteReader {
  #window: Buffer = Buffer.alloc(0);
  #start = 0;

  /** @param descriptor of the open file; undefined when `whole` holds all bytes */
  constructor(
    readonly path: string,
    readonly size: number,
    private readonly descriptor: number | undefined,
    whole?: Buffer,
  ) {
    if (whole) this.#window = whole;
  }

  /**
   * `length` bytes at `offset`. The buffer may be shared with later reads: copy what must stay unchanged.
   * @throws the error of `onShort` (FormatError by default) when the file ends before
   */
  bytes(offset: number, length: number, onShort?: () => Error): Buffer {
    if (offset + length > this.size) {
      throw onShort?.() ?? new FormatError(`the file ends before byte ${offset + length}`, { where: this.path });
    }
    const inside = offset >= this.#start && offset + length <= this.#start + this.#window.length;
    if (!inside) {
      // Large reads go past the window and leave it as it is.
      if (length > windowSize / 2) return this.#read(offset, length);
      this.#window = this.#read(offset, Math.min(windowSize, this.size - offset));
      this.#start = offset;
    }
    return this.#window.subarray(offset - this.#start, offset - this.#start + length);
  }

  #read(offset: number, length: number): Buffer {
    if (this.descriptor === undefined) throw new Error("bytes in memory are all in the window");
    const buffer = Buffer.allocUnsafeSlow(length);
    let done = 0;
    while (done < length) {
      const count = readSync(this.descriptor, buffer, done, length - done, offset + done);
      if (count === 0)
        throw new FormatError(`the file shrank to ${offset + done} bytes while being read`, { where: this.path });
      done += count;
    }
    return buffer;
  }
}

/**
 * Opens a file for the duration of `use`.
 * @throws StorageError when it cannot be opened
 */
export function withFile<T>(path: string, use: (file: ByteReader) => T): T {
  let descriptor: number;
  try {
    descriptor = openSync(path, "r");
  } catch (error) {
    throw new StorageError(
      `cannot open ${path}: ${(error as NodeJS.ErrnoException).code ?? (error as Error).message}`,
      {
        cause: error,
      },
    );
  }
  try {
    return use(new ByteReader(path, fstatSync(descriptor).size, descriptor));
  } finally {
    closeSync(descriptor);
  }
}

/** Bytes in memory as a file; `name` stands for the path in errors. Not copied. */
export function memoryReader(bytes: Uint8Array, name: string): ByteReader {
  return new ByteReader(name, bytes.length, undefined, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
}
