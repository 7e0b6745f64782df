// What an archive from elsewhere may hold: files and folders with plain relative names, within limits. The readers of the formats
// (unzip.ts, untar.ts) ask here before anything is written, so that nothing can leave the folder or fill the disk.

import { FormatError } from "../../core/errors.js";

/** Limits of an archive. */
export interface ArchiveLimits {
  /** Bytes of all files together. Default 200 GB. */
  readonly maxBytes?: number;
  /** Number of entries. Default 100 000. */
  readonly maxEntries?: number;
  /** Bytes out per byte of the archive, looked at once 64 MB have come out. Default 200. */
  readonly maxRatio?: number;
}

const ratioFrom = 64e6;

/** Checks the entries of one archive as they come. */
export class EntryCheck {
  readonly #seen = new Set<string>();
  readonly #limits: Required<ArchiveLimits>;
  #bytes = 0;
  #entries = 0;

  /**
   * @param archive its path, for messages
   * @param size its bytes
   */
  constructor(
    readonly archive: string,
    readonly size: number,
    limits: ArchiveLimits = {},
  ) {
    this.#limits = { maxBytes: 200e9, maxEntries: 100_000, maxRatio: 200, ...limits };
  }

  /**
   * The name of an entry, without the slash that ends a folder's.
   * @throws FormatError for a name that leaves the folder, or that is there twice
   */
  name(raw: string): string {
    if (++this.#entries > this.#limits.maxEntries) {
      throw this.refuse(`has more than ${this.#limits.maxEntries} entries`);
    }
    const name = raw.replace(/^(\.\/)+/, "").replace(/\/+$/, "");
    if (name === "" || name === ".") return "";
    if (!isPlain(name)) throw this.refuse(`has an entry that would be written outside of its folder: ${quote(raw)}`);
    // Two names that differ in case only are one file on some systems.
    const key = name.normalize("NFC").toLowerCase();
    if (this.#seen.has(key)) throw this.refuse(`has two entries called ${quote(name)}`);
    this.#seen.add(key);
    return name;
  }

  /** Counts bytes that came out of the archive. @throws FormatError when they are too many */
  count(bytes: number): void {
    this.#bytes += bytes;
    const { maxBytes, maxRatio } = this.#limits;
    if (this.#bytes > maxBytes) throw this.refuse(`unpacks to more than ${maxBytes} bytes`);
    if (this.#bytes > ratioFrom && this.#bytes > this.size * maxRatio) {
      throw this.refuse(`unpacks to more than ${maxRatio} times its size, as no real weights do`);
    }
  }

  refuse(what: string, cause?: unknown): FormatError {
    return new FormatError(`the archive ${this.archive} ${what}`, {
      hint: "nothing of it was kept; get it again from its publisher",
      cause,
    });
  }
}

function isPlain(name: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is refused
  if (/[\x00-\x1f\\]/.test(name) || /^[A-Za-z]:/.test(name) || name.length > 1024) return false;
  return name.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

const quote = (name: string): string => JSON.stringify(name.slice(0, 200));
