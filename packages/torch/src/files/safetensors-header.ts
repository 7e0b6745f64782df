// The header of a safetensors file: parsing with every check the format asks for, and layout for writing.
// Format: https://huggingface.co/docs/safetensors — u64 little-endian header size, JSON header (padded with spaces),
// then one byte buffer without holes. This file knows no tensors and no file handles.
import { TensorFileError } from "./errors.js";

/** Element types of the format that can be read here, with their size in bytes. */
export const SAFETENSORS_ITEM_SIZE = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  I64: 8,
  F64: 8,
  C64: 8,
} as const;

/** Element type as the header spells it. */
export type SafetensorsDType = keyof typeof SAFETENSORS_ITEM_SIZE;

/** One tensor of the header. `begin` and `end` are byte offsets into the data buffer that follows the header. */
export interface SafetensorsEntry {
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** A checked header. `dataStart` is the byte offset of the data buffer in the file. */
export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly dataStart: number;
}

/** Largest header the format allows, in bytes; protects against a garbage length. */
export const MAX_HEADER_SIZE = 100_000_000;

/**
 * Reads the length field (first 8 bytes of the file).
 * @throws TensorFileError when the length cannot be that of a header of this file.
 */
export function parseHeaderSize(first8: Uint8Array, fileSize: number, path: string): number {
  const size = new DataView(first8.buffer, first8.byteOffset, 8).getBigUint64(0, true);
  if (size > BigInt(MAX_HEADER_SIZE)) {
    throw new TensorFileError(
      path,
      `header size ${size} is over the limit of ${MAX_HEADER_SIZE}; not a safetensors file`,
    );
  }
  if (Number(size) + 8 > fileSize) {
    throw new TensorFileError(path, `header of ${size} bytes does not fit in a file of ${fileSize} bytes; truncated`);
  }
  return Number(size);
}

/**
 * Parses and checks a header: UTF-8 JSON object, no duplicate names, known types, offsets that agree with the shapes and
 * cover the data buffer of `dataSize` bytes without overlap or hole.
 */
export function parseHeader(bytes: Uint8Array, dataSize: number, path: string): SafetensorsHeader {
  const fail = (problem: string): never => {
    throw new TensorFileError(path, problem);
  };
  let text = "";
  let json: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    if (!text.startsWith("{")) throw new SyntaxError("it does not start with {");
    json = JSON.parse(text);
  } catch (error) {
    throw new TensorFileError(path, `header is not JSON: ${(error as Error).message}`, { cause: error });
  }
  const twice = duplicateKey(text);
  if (twice !== undefined) fail(`header names "${twice}" twice`);

  let metadata: Record<string, string> = {};
  const tensors = new Map<string, SafetensorsEntry>();
  for (const [name, value] of Object.entries(json as object)) {
    if (name === "__metadata__") metadata = checkMetadata(value, fail);
    else tensors.set(name, checkEntry(name, value, fail));
  }

  let at = 0;
  const byOffset = [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  for (const [name, { begin, end }] of byOffset) {
    if (begin < at) fail(`tensor "${name}" starts at byte ${begin}, inside the tensor before it (which ends at ${at})`);
    if (begin > at) fail(`bytes ${at} to ${begin} before tensor "${name}" belong to no tensor`);
    at = end;
  }
  if (at > dataSize) fail(`data should have ${at} bytes and has ${dataSize}; the file is truncated`);
  if (at < dataSize) fail(`${dataSize - at} bytes after the last tensor belong to no tensor`);
  return { tensors, metadata, dataStart: 8 + bytes.byteLength };
}

function checkMetadata(value: unknown, fail: (problem: string) => never): Record<string, string> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail("__metadata__ is not an object");
  for (const [key, entry] of Object.entries(value as object)) {
    if (typeof entry !== "string") fail(`__metadata__ "${key}" is ${JSON.stringify(entry)}; only text is allowed`);
  }
  return value as Record<string, string>;
}

function checkEntry(name: string, value: unknown, fail: (problem: string) => never): SafetensorsEntry {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  const isSize = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;
  if (typeof dtype !== "string" || !Object.hasOwn(SAFETENSORS_ITEM_SIZE, dtype)) {
    return fail(
      `tensor "${name}" has dtype ${JSON.stringify(dtype)}; readable are ${Object.keys(SAFETENSORS_ITEM_SIZE).join(", ")}`,
    );
  }
  if (!Array.isArray(shape) || !shape.every(isSize)) {
    return fail(`tensor "${name}" has shape ${JSON.stringify(shape)}; expected a list of sizes`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize) || offsets[0]! > offsets[1]!) {
    return fail(`tensor "${name}" has data_offsets ${JSON.stringify(offsets)}; expected [begin, end]`);
  }
  const [begin, end] = offsets as [number, number];
  const wanted = shape.reduce((n: number, size: number) => n * size, SAFETENSORS_ITEM_SIZE[dtype as SafetensorsDType]);
  if (end - begin !== wanted) {
    fail(`tensor "${name}" of ${dtype} [${shape.join(", ")}] needs ${wanted} bytes; its offsets span ${end - begin}`);
  }
  return { dtype: dtype as SafetensorsDType, shape, begin, end };
}

/** The first key that an object of this (valid) JSON text has twice; `JSON.parse` would keep the last silently. */
function duplicateKey(text: string): string | undefined {
  const open: Set<string>[] = [];
  const token = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?|[{}]/g;
  for (const match of text.matchAll(token)) {
    if (match[0] === "{") open.push(new Set());
    else if (match[0] === "}") open.pop();
    else if (match[1] !== undefined) {
      const key = JSON.parse(match[0].slice(0, -match[1].length)) as string;
      if (open.at(-1)?.has(key)) return key;
      open.at(-1)?.add(key);
    }
  }
  return undefined;
}

/** What a writer needs to know of a tensor. */
export interface TensorLayout {
  readonly name: string;
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
}

/**
 * Lays tensors out and builds the file's first bytes (length field and header, padded so that the data start is a multiple of 8).
 * Wide elements come first, so that every tensor is aligned to its element size; `order` is the order of the data.
 */
export function buildHeader<T extends TensorLayout>(
  tensors: readonly T[],
  metadata: Readonly<Record<string, string>>,
): { bytes: Uint8Array; order: T[] } {
  const order = [...tensors].sort((a, b) => SAFETENSORS_ITEM_SIZE[b.dtype] - SAFETENSORS_ITEM_SIZE[a.dtype]);
  const entries: [string, unknown][] = Object.keys(metadata).length > 0 ? [["__metadata__", metadata]] : [];
  let at = 0;
  for (const { name, dtype, shape } of order) {
    const end = at + shape.reduce((n, size) => n * size, SAFETENSORS_ITEM_SIZE[dtype]);
    entries.push([name, { dtype, shape, data_offsets: [at, end] }]);
    at = end;
  }
  // Built by hand, because an object would move names that look like array indices to the front.
  const text = `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",")}}`;
  const json = new TextEncoder().encode(text);
  const size = Math.ceil(json.byteLength / 8) * 8;
  const bytes = new Uint8Array(8 + size).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(size), true);
  bytes.set(json, 8);
  return { bytes, order };
}
