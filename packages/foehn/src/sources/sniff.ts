// Tells a file's format by its first bytes. Also recognises what people hand over by mistake, so that the message can say so.

import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { withFile } from "../io/byte-reader.js";

/** Formats that hold fields. */
export type FileKind = "grib" | "netcdf";

/** The format, or what the file seems to be instead. */
export interface Sniffed {
  readonly kind: FileKind | undefined;
  readonly guess: { readonly what: string; readonly hint: string };
}

const hdf5Signature = Buffer.from([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]);

/** What kind of file this is. Folders and special files have no kind. */
export function sniffFile(path: string): Sniffed {
  if (!statSync(path).isFile()) return unknown("this is not a file", "name a file, a folder of files or a Zarr folder");
  return withFile(path, (file) => {
    const found = sniffBytes(file.bytes(0, Math.min(file.size, 4096)));
    if (found.kind || file.size <= 4096) return found;
    // HDF5 may follow a user block of 512 · 2^n bytes.
    for (let at = 4096; at + 8 <= file.size && at <= 1 << 16; at *= 2) {
      if (file.bytes(at, 8).equals(hdf5Signature)) return known("netcdf");
    }
    return found;
  });
}

/** True for a folder that is a Zarr store, by its name or by what lies in it. */
export function isZarrFolder(path: string): boolean {
  if (!statSync(path).isDirectory()) return false;
  return path.endsWith(".zarr") || ["zarr.json", ".zgroup", ".zmetadata"].some((name) => existsSync(join(path, name)));
}

/** What kind of file begins like this. */
export function sniffBytes(beginning: Uint8Array): Sniffed {
  const head = Buffer.from(beginning.buffer, beginning.byteOffset, beginning.byteLength);
  if (head.length === 0) return unknown("the file is empty", "the download may have failed; fetch it again");
  const magic = head.toString("latin1", 0, 4);
  // Bulletins carry a heading before the first message; a text that speaks of GRIB has no edition behind the word.
  const message = head.indexOf("GRIB");
  if (message === 0 || (message > 0 && [1, 2].includes(head[message + 7]!) && isHeading(head.subarray(0, message)))) {
    return known("grib");
  }
  if (magic.startsWith("CDF") && [1, 2, 5].includes(head[3]!)) return known("netcdf");
  for (let at = 0; at + 8 <= head.length; at = at === 0 ? 512 : at * 2) {
    if (head.subarray(at, at + 8).equals(hdf5Signature)) return known("netcdf");
  }
  return foreign(head);
}

function isHeading(bytes: Uint8Array): boolean {
  return bytes.every((b) => b <= 3 || b === 9 || b === 10 || b === 13 || (b >= 32 && b < 127));
}

function foreign(head: Buffer): Sniffed {
  const start = head.toString("latin1", 0, 64).trimStart();
  if (start.startsWith("PK")) {
    return unknown("this is a zip archive", "unpack it first; the CDS delivers several files this way");
  }
  if (head[0] === 0x1f && head[1] === 0x8b)
    return unknown("this file is compressed with gzip", "run gunzip on it first");
  if (/^<(!doctype|html|\?xml)/i.test(start)) {
    return unknown(
      "this is a web page, not data",
      "the download needs a login or the address is wrong; fetch it again",
    );
  }
  if (start.startsWith("{") || start.startsWith("[")) {
    return unknown("this is a JSON text, not data", "it may be the error message of a failed download; look into it");
  }
  if (start.startsWith("BUFR"))
    return unknown("this is a BUFR file", "Foehn reads gridded fields: GRIB, NetCDF or Zarr");
  const bytes = head.toString("hex", 0, Math.min(8, head.length));
  return unknown(
    `this is neither GRIB nor NetCDF: it starts with the bytes ${bytes}`,
    "name a GRIB, NetCDF or Zarr file",
  );
}

function known(kind: FileKind): Sniffed {
  return { kind, guess: { what: "", hint: "" } };
}

function unknown(what: string, hint: string): Sniffed {
  return { kind: undefined, guess: { what, hint } };
}
