// Memory for encoded chunks, used again when a chunk is written: fresh memory, which the system first clears, takes as long as half of a
// fast compression. One pool for each thread.

/** Buffers that are kept for later: about as many chunks as a thread has on their way to the disk. */
const maxFree = 4;

const free: Uint8Array<ArrayBuffer>[] = [];
const lent = new WeakSet<ArrayBufferLike>();

/** A buffer of at least `bytes`; what is in it is left from its last use. */
export function takeBuffer(bytes: number): Uint8Array<ArrayBuffer> {
  const at = free.findLastIndex((buffer) => buffer.length >= bytes);
  const buffer = at >= 0 ? free.splice(at, 1)[0]! : new Uint8Array(bytes);
  lent.add(buffer.buffer);
  return buffer;
}

/** Takes back a buffer, or the part of it that holds a result. Nothing for memory that is not from here, or is back already. */
export function returnBuffer(part: Uint8Array): void {
  if (!lent.delete(part.buffer)) return;
  free.push(new Uint8Array(part.buffer as ArrayBuffer));
  // The oldest: chunks may have become larger.
  if (free.length > maxFree) free.shift();
}
