// One file from a store to the disk, in full and checked, or not at all. Large files come over several connections in ranges; what has come
// is noted beside it, so that after a kill -9 or a lost network the rest is asked for. Ranges of different versions are never mixed: a
// download goes on only when the server has a strong ETag (RFC 9110 §8.8) or the hash is known. Not here: locks and names (model-cache.ts).

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, readdir, readFile, rm, statfs } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { NetworkError, StorageError } from "../../core/errors.js";
import { atomicWrite, sha256File, toStorageError } from "../../core/files.js";
import { throwIfInterrupted } from "../../core/interrupt.js";
import { isNotFound, isTransient } from "./http.js";
import type { ObjectStore, ObjectStream } from "./object-store.js";
import { type Gap, gapsIn, merged, type Span } from "./spans.js";

/** What is known of a file before it comes. */
export interface ExpectedFile {
  readonly size?: number | undefined;
  readonly sha256?: string | undefined;
  /** Git's object id (SHA-1 of "blob <size>\0" and the contents). */
  readonly gitOid?: string | undefined;
}

/** Options of `download`. */
export interface DownloadOptions {
  /** What must arrive. */
  readonly expected?: ExpectedFile | undefined;
  /** What has come is noted beside the file, so that a later call goes on there. Default true; false for names that nobody gives again. */
  readonly notes?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Longer files are refused; for those that are read into memory. Default: no limit but the disk's. */
  readonly maxBytes?: number | undefined;
  /** Bytes that are there, and of how many if known. */
  readonly onBytes?: ((done: number, total: number | undefined) => void) | undefined;
  /** Connections of one file. Default 4. */
  readonly connections?: number | undefined;
  /** Bytes of one range. Default 8 MiB. */
  readonly segmentBytes?: number | undefined;
  /** What to do when the disk is full, and when another file came than was expected. */
  readonly hints?: { readonly disk: string; readonly replaced: string } | undefined;
  /** First waiting time after a broken connection, in milliseconds. Default 500. */
  readonly retryDelayMs?: number | undefined;
}

/** What `download` left at the path that it was given. */
export interface Downloaded {
  readonly sha256: string;
  readonly size: number;
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
}

/** What is noted beside a partial file. */
interface Note {
  readonly etag: string | undefined;
  readonly lastModified: string | undefined;
  readonly size: number;
  done: Span[];
}

/** The object changed while it was read: begin again. */
class ChangedError extends Error {}

const attemptsPerSegment = 6;
/** A connection that brought so much before it broke was no failure; one that brings a little each time would go on for days. */
const enoughBytes = 1 << 16;

/**
 * Downloads `path` of a store into the file `partial`, going on with what is there from an earlier try.
 * @throws NetworkError when it cannot be had, or is not what was expected (nothing is left then); StorageError when the disk fails;
 * InterruptedError (what has come stays for the next try)
 */
export async function download(
  objects: ObjectStore,
  path: string,
  partial: string,
  options: DownloadOptions = {},
): Promise<Downloaded> {
  const where = `${objects.description}/${path}`;
  try {
    await mkdir(dirname(partial), { recursive: true });
    for (let attempt = 0; ; attempt++) {
      const { resumed, ...found } = await transfer(objects, path, partial, options).catch(async (error: unknown) => {
        if (!(error instanceof ChangedError)) throw error;
        await discard(partial);
        if (attempt < 2) return { resumed: true, changed: true as const };
        throw new NetworkError("the file changes while it is downloaded", { where, hint: "try again later" });
      });
      if ("changed" in found) continue;
      const trouble = await differs(partial, found, options.expected);
      if (trouble === undefined) return found;
      await discard(partial);
      // Bits that were lost on the way, or half of another version: once more from the beginning.
      if (attempt > 0 && !resumed) {
        throw new NetworkError(`what was downloaded is not the file that was expected: ${trouble}`, {
          where,
          hint: `the file was damaged on the way, or its owner replaced it: ${options.hints?.replaced ?? "try again later"}; nothing of it was kept`,
        });
      }
    }
  } catch (error) {
    const failure = toStorageError(error, partial);
    // What cannot be gone on with is only in the way; and a full disk needs the room.
    if (failure instanceof StorageError || !(await readNote(partial, options))) await discard(partial);
    throw failure;
  }
}

/** Removes a partial file, its note, and notes that a killed process was writing. */
export async function discard(partial: string): Promise<void> {
  const unfinished = `.${basename(noteOf(partial))}.`;
  const names = await readdir(dirname(partial)).catch(() => []);
  const notes = names.filter((name) => name.startsWith(unfinished)).map((name) => join(dirname(partial), name));
  await Promise.all([partial, noteOf(partial), ...notes].map((name) => rm(name, { force: true })));
}

const noteOf = (partial: string): string => `${partial}.json`;

async function transfer(
  objects: ObjectStore,
  path: string,
  partial: string,
  options: DownloadOptions,
): Promise<Downloaded & { resumed: boolean }> {
  const { signal, segmentBytes = 8 << 20 } = options;
  let note = await readNote(partial, options);
  const resumed = note !== undefined;
  const handle = await open(partial, resumed ? "r+" : "w+");
  try {
    let first: ObjectStream | undefined;
    if (note === undefined) {
      first = await objects.stream(path, { start: 0, end: segmentBytes, signal });
      if (first.partial && first.size === undefined) {
        await first.body.cancel();
        first = await objects.stream(path, { signal });
      }
      await refuseSize(first, options, partial, `${objects.description}/${path}`).catch(async (error) => {
        await first?.body.cancel();
        throw error;
      });
      const { etag, lastModified, size } = first;
      if (!first.partial) return { ...(await inOneGo(first, objects, path, handle, options)), resumed };
      note = { etag, lastModified, size: size ?? 0, done: [] };
    }
    await inRanges(first, note, { objects, path, partial, handle, options });
    await handle.truncate(note.size);
    await handle.sync();
    const { etag, lastModified } = note;
    return { ...(await sha256File(partial)), etag, lastModified, resumed };
  } finally {
    await handle.close();
  }
}

/** A server without ranges: from the beginning to the end, and again from the beginning when it breaks off. */
async function inOneGo(
  first: ObjectStream,
  objects: ObjectStore,
  path: string,
  handle: FileHandle,
  options: DownloadOptions,
): Promise<Downloaded> {
  let stream: ObjectStream | undefined = first;
  return repeated(options, async () => {
    const current = stream ?? (await objects.stream(path, { signal: options.signal }));
    stream = undefined;
    const limit = options.expected?.size ?? current.size ?? options.maxBytes ?? Number.POSITIVE_INFINITY;
    const hash = createHash("sha256");
    let size = 0;
    for await (const chunk of current.body) {
      if (size + chunk.byteLength > limit) {
        throw new NetworkError(`the server sends more than the ${limit} bytes that were expected`, {
          where: `${objects.description}/${path}`,
          status: 200, // the same would come again
        });
      }
      await writeAll(handle, chunk, size);
      hash.update(chunk);
      size += chunk.byteLength;
      options.onBytes?.(size, options.expected?.size ?? current.size);
    }
    await handle.truncate(size);
    await handle.sync();
    return { sha256: hash.digest("hex"), size, etag: current.etag, lastModified: current.lastModified };
  });
}

interface RangeWork {
  readonly objects: ObjectStore;
  readonly path: string;
  readonly partial: string;
  readonly handle: FileHandle;
  readonly options: DownloadOptions;
}

/** Fills the gaps over several connections. */
async function inRanges(first: ObjectStream | undefined, note: Note, work: RangeWork): Promise<void> {
  const { options, handle, partial } = work;
  const { segmentBytes = 8 << 20, connections = 4 } = options;
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  const queue = gapsIn(note.done, note.size, segmentBytes);
  let arrived = note.done.reduce((sum, [start, end]) => sum + end - start, 0);
  let noted = arrived;
  const before = arrived;
  let notedAt = 0;
  let writing: Promise<void> = Promise.resolve();
  const remember = (): Promise<void> => {
    // A note must not be on the disk before the bytes that it speaks of.
    const copy = { ...note, done: [...note.done] };
    writing = writing.then(async () => {
      await handle.datasync();
      await atomicWrite(noteOf(partial), JSON.stringify(copy));
    });
    return writing;
  };
  const mayResume = mayNote(options, note.etag);
  const onChunk = (start: number, end: number): void => {
    note.done = merged(note.done, [start, end]);
    arrived += end - start;
    options.onBytes?.(arrived, note.size);
    // A note costs a flush of the disk.
    if (mayResume && arrived - noted >= segmentBytes && (noted === before || performance.now() - notedAt > 1000)) {
      noted = arrived;
      notedAt = performance.now();
      remember().catch(() => {}); // said by the last one
    }
  };
  let opened = first;
  const worker = async (): Promise<void> => {
    for (let gap = queue.shift(); gap !== undefined; gap = queue.shift()) {
      const stream = opened;
      opened = undefined;
      await fillGap(gap, stream, note, work, signal, () => arrived > before, onChunk);
    }
  };
  const count = Math.min(connections, Math.max(1, queue.length));
  const results = await Promise.allSettled(
    Array.from({ length: count }, () =>
      worker().catch((error: unknown) => {
        stop.abort();
        throw error;
      }),
    ),
  );
  await opened?.body.cancel(); // an empty file has no gap
  const failures = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
  if (failures.length === 0) return writing; // no note may come after the file has its name
  await (mayResume ? remember() : writing).catch(() => {});
  // The others failed because the first of them stopped the work.
  throw failures.find((error) => (error as { code?: unknown }).code !== "interrupted") ?? failures[0];
}

/** Reads one range to its end, in as many requests as it takes. */
async function fillGap(
  gap: Gap,
  opened: ObjectStream | undefined,
  note: Note,
  { objects, path, handle, options }: RangeWork,
  signal: AbortSignal,
  hasBegun: () => boolean,
  onChunk: (start: number, end: number) => void,
): Promise<void> {
  let [at, end] = [gap.start, Math.min(gap.end, note.size)];
  let stream = opened;
  let failed = 0;
  while (at < end) {
    const before = at;
    try {
      // With a known hash the ETag does not matter: mirrors of one file have different ones.
      const etag = options.expected?.sha256 === undefined ? note.etag : undefined;
      stream ??= await objects.stream(path, { start: at, end, etag, signal });
      const sameTag = etag === undefined || stream.etag === etag;
      // Without a tag or a hash the date is all that tells two versions of one length apart.
      const untold = etag === undefined && options.expected?.sha256 === undefined;
      const sameDate = !untold || stream.lastModified === note.lastModified;
      const isSame = stream.partial && sameTag && sameDate && (stream.size ?? note.size) === note.size;
      if (!isSame) {
        await stream.body.cancel();
        throw new ChangedError("changed");
      }
      for await (const chunk of stream.body) {
        const bytes = chunk.subarray(0, end - at);
        await writeAll(handle, bytes, at);
        onChunk(at, at + bytes.byteLength);
        at += bytes.byteLength;
        if (bytes.byteLength < chunk.byteLength) break; // more than was asked for
      }
      if (at === before) throw new NetworkError("the server sent nothing", { where: `${objects.description}/${path}` });
    } catch (error) {
      throwIfInterrupted(signal, `the download of ${path}`);
      failed = at - before >= enoughBytes ? 1 : failed + 1;
      // A server that cannot be reached was tried several times already (http.ts); patience is for what has begun.
      const isSpent = stream === undefined && !hasBegun();
      if (!isTransient(error) || isSpent || failed >= attemptsPerSegment) throw error;
      await pause(failed, options);
    }
    stream = undefined;
  }
}

/** Tries again when the connection broke; refusals of the server were tried again already (http.ts). */
async function repeated<T>(options: DownloadOptions, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      throwIfInterrupted(options.signal, "the download");
      const spent = !(error instanceof NetworkError) || error.status !== undefined || !isTransient(error);
      if (spent || isNotFound(error) || attempt >= attemptsPerSegment) throw error;
      await pause(attempt, options);
    }
  }
}

async function pause(attempt: number, { retryDelayMs = 500, signal }: DownloadOptions): Promise<void> {
  const wait = Math.min(20_000, retryDelayMs * 2 ** (attempt - 1)) * (0.5 + Math.random() / 2);
  await sleep(wait, undefined, { signal }).catch(() => {});
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.byteLength; ) {
    const { bytesWritten } = await handle.write(bytes, at, bytes.byteLength - at, position + at);
    at += bytesWritten;
  }
}

/** Whether a later call can tell that the rest belongs to what is here. */
function mayNote({ notes = true, expected }: DownloadOptions, etag: string | undefined): boolean {
  const isStrong = etag !== undefined && !etag.startsWith("W/");
  return notes && (isStrong || expected?.sha256 !== undefined);
}

async function readNote(partial: string, options: DownloadOptions): Promise<Note | undefined> {
  const { expected } = options;
  try {
    const note = JSON.parse(await readFile(noteOf(partial), "utf8")) as Note;
    const fits = expected?.size === undefined || expected.size === note.size;
    const sound = note.done.every(([start, end]) => start >= 0 && end > start && end <= note.size);
    if (!fits || !sound || !mayNote(options, note.etag)) return undefined;
    const handle = await open(partial, "r");
    try {
      const { size } = await handle.stat();
      return size >= Math.max(0, ...note.done.map(([, end]) => end)) ? note : undefined;
    } finally {
      await handle.close();
    }
  } catch {
    return undefined;
  }
}

/** Before the first byte: is it as long as it must be, and does it fit on the disk? */
async function refuseSize(
  { size }: ObjectStream,
  { expected, hints, maxBytes = Number.POSITIVE_INFINITY }: DownloadOptions,
  partial: string,
  where: string,
): Promise<void> {
  if (size !== undefined && size > maxBytes) {
    throw new NetworkError(`the server has a file of ${size} bytes, at most ${maxBytes} were expected`, {
      status: 200,
      where,
      hint: "this is not the file that it is called",
    });
  }
  if (size !== undefined && expected?.size !== undefined && size !== expected.size) {
    throw new NetworkError(`the server has a file of ${size} bytes, expected were ${expected.size}`, {
      where,
      hint: "its owner replaced it, or something between here and there answers in the server's place",
    });
  }
  const disk = await statfs(dirname(partial)).catch(() => undefined);
  const free = disk === undefined ? Number.POSITIVE_INFINITY : disk.bavail * disk.bsize;
  if (size === undefined || size <= free) return;
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(bytes < 1e9 ? 3 : 1)} GB`;
  throw new StorageError(`the disk of the cache has ${gigabytes(free)} left, and the file has ${gigabytes(size)}`, {
    where: dirname(dirname(partial)),
    hint: hints?.disk ?? "free some space, or name another disk for the cache",
  });
}

/** What is wrong with a finished download, or undefined. */
async function differs(
  partial: string,
  { sha256, size }: Downloaded,
  expected: ExpectedFile | undefined,
): Promise<string | undefined> {
  if (expected?.size !== undefined && expected.size !== size) return `it has ${size} bytes, not ${expected.size}`;
  if (expected?.sha256 !== undefined && expected.sha256 !== sha256) {
    return `its sha256 is ${sha256}, not ${expected.sha256}`;
  }
  if (expected?.sha256 === undefined && expected?.gitOid !== undefined) {
    const hash = createHash("sha1").update(`blob ${size}\0`);
    for await (const chunk of createReadStream(partial)) hash.update(chunk as Buffer);
    const oid = hash.digest("hex");
    if (oid !== expected.gitOid) return `its git id is ${oid}, not ${expected.gitOid}`;
  }
  return undefined;
}
