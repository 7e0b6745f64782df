// TensorBoard event files: an append-only list of framed protocol-buffer events that `tensorboard --logdir` shows while it grows.
// Frame (TFRecord): length as u64, masked CRC-32C of the length, data, masked CRC-32C of the data; little-endian.
import { closeSync, fdatasyncSync, mkdirSync, openSync, writeSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { toStorageError } from "../core/files.js";
import { maskedCrc32c } from "./crc32c.js";
import {
  encodeEvent,
  fileVersion,
  imageValue,
  type Message,
  pluginValue,
  scalarValue,
  sessionStart,
  summary,
  textValue,
} from "./event-messages.js";
import {
  encodeExperiment,
  encodeSessionEnd,
  encodeSessionStart,
  type HparamValue,
  hparamTags,
  type SessionStatus,
} from "./hparams.js";

export interface EventWriterOptions {
  /** Events are handed to the operating system at least this often, in seconds (checked when one is added). Default 5. */
  readonly flushSeconds?: number;
  /** Seconds since 1970; the clock by default. */
  readonly now?: () => number;
  readonly host?: string;
}

/** Buffered events are flushed beyond this size, whatever the clock says. */
const maxBufferedBytes = 1 << 20;

let filesOpened = 0;

/**
 * Writes one event file into a folder, which is made when missing. Not for several threads; several writers may share a folder.
 * All `add…` methods throw StorageError when the disk refuses.
 */
export class EventWriter {
  /** Path of the file. */
  readonly path: string;
  readonly #fd: number;
  readonly #now: () => number;
  readonly #flushSeconds: number;
  #buffered: Uint8Array[] = [];
  #bufferedBytes = 0;
  #lastFlush: number;
  #closed = false;

  constructor(dir: string, options: EventWriterOptions = {}) {
    this.#now = options.now ?? (() => Date.now() / 1000);
    this.#flushSeconds = options.flushSeconds ?? 5;
    const time = this.#now();
    this.#lastFlush = time;
    // TensorBoard orders the files of a folder by name: ten digits of time first, then what makes them distinct.
    const stamp = String(Math.floor(time)).padStart(10, "0");
    const name = `events.out.tfevents.${stamp}.${options.host ?? hostname()}.${process.pid}.${filesOpened++}`;
    this.path = join(dir, name);
    try {
      mkdirSync(dir, { recursive: true });
      this.#fd = openSync(this.path, "a");
    } catch (err) {
      throw toStorageError(err, this.path);
    }
    this.#add(0, fileVersion, time);
    this.flush();
  }

  /** A number at a step. NaN and infinities are kept: TensorBoard marks them. Stored as float32. */
  addScalar(tag: string, value: number, step: number, wallTime?: number): void {
    this.#add(step, summary(tag, scalarValue(value)), wallTime);
  }

  /** A text in Markdown. */
  addText(tag: string, markdown: string, step = 0, wallTime?: number): void {
    this.#add(step, summary(tag, textValue(markdown)), wallTime);
  }

  /** A picture as PNG; width and height are read from it. @throws RangeError when it is not a PNG */
  addImage(tag: string, png: Uint8Array, step: number, wallTime?: number): void {
    const { width, height } = pngSize(png);
    this.#add(step, summary(tag, imageValue(png, width, height)), wallTime);
  }

  /** Hyper-parameters of this run and the scalar tags by which runs are compared. Call once, before `endSession`. */
  addHparams(hparams: Readonly<Record<string, HparamValue>>, metricTags: readonly string[], group = ""): void {
    const time = this.#now();
    this.#add(
      0,
      summary(hparamTags.experiment, pluginValue("hparams", encodeExperiment(hparams, metricTags, time))),
      time,
    );
    this.#add(0, summary(hparamTags.start, pluginValue("hparams", encodeSessionStart(hparams, group, time))), time);
  }

  /** How the run ended, for the table of hyper-parameters. */
  endSession(status: SessionStatus): void {
    const time = this.#now();
    this.#add(0, summary(hparamTags.end, pluginValue("hparams", encodeSessionEnd(status, time))), time);
  }

  /** Says that a resumed run writes from this step on: older events from there are hidden. */
  restartAt(step: number): void {
    this.#add(step, sessionStart);
  }

  /** Hands everything to the operating system. */
  flush(): void {
    this.#lastFlush = this.#now();
    if (this.#buffered.length === 0) return;
    const bytes = Buffer.concat(this.#buffered);
    this.#buffered = [];
    this.#bufferedBytes = 0;
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
    } catch (err) {
      throw toStorageError(err, this.path);
    }
  }

  /** Flushes, syncs and closes; a second call does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.flush();
      fdatasyncSync(this.#fd);
    } finally {
      closeSync(this.#fd);
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #add(step: number, what: Message, wallTime?: number): void {
    if (this.#closed) throw new Error(`event file ${this.path} is closed`);
    const now = this.#now();
    const record = frame(encodeEvent(wallTime ?? now, step, what));
    this.#buffered.push(record);
    this.#bufferedBytes += record.length;
    if (this.#bufferedBytes > maxBufferedBytes || now - this.#lastFlush >= this.#flushSeconds) this.flush();
  }
}

function frame(data: Uint8Array): Uint8Array {
  const out = new Uint8Array(16 + data.length);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc32c(out.subarray(0, 8)), true);
  out.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc32c(data), true);
  return out;
}

function pngSize(png: Uint8Array): { readonly width: number; readonly height: number } {
  if (png.length < 24 || png[1] !== 0x50 || png[2] !== 0x4e || png[3] !== 0x47)
    throw new RangeError("the image is not a PNG file");
  const view = new DataView(png.buffer, png.byteOffset);
  return { width: view.getUint32(16), height: view.getUint32(20) };
}
