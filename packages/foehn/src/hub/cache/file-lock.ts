// One process at a time, among all that share a folder: a lock file that says who holds it and whose time is renewed while the holder
// lives. After a kill -9 the next one takes it over: at once when the holder was on this machine, after half a minute otherwise.
// It only saves work: what it guards stays whole when two hold it, which network disks cannot exclude (download.ts).

import { randomBytes } from "node:crypto";
import { link, mkdir, open, readFile, readlink, rename, rm, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { toStorageError } from "../../core/files.js";
import { throwIfInterrupted } from "../../core/interrupt.js";

/** Who holds a lock. */
export interface LockHolder {
  readonly pid: number;
  readonly host: string;
  readonly token: string;
}

/** Options of `withFileLock`. */
export interface FileLockOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once when another process holds the lock. */
  readonly onWait?: ((holder: LockHolder) => void) | undefined;
  /** Milliseconds without a sign of life after which a lock counts as left behind. Default 30 000. */
  readonly staleMs?: number | undefined;
}

const beatMs = 5000;

/**
 * Runs `work` while holding the lock file `path`, after waiting for whoever holds it.
 * @throws InterruptedError while waiting; StorageError when the folder cannot be written; what `work` throws
 */
export async function withFileLock<T>(path: string, work: () => Promise<T>, options: FileLockOptions = {}): Promise<T> {
  const { signal, staleMs = 30_000 } = options;
  const me: LockHolder = { pid: process.pid, host: await thisHost(), token: randomBytes(9).toString("hex") };
  await mkdir(dirname(path), { recursive: true }).catch((error: unknown) => {
    throw toStorageError(error, dirname(path));
  });
  let told = false;
  for (let wait = 20; !(await take(path, me)); wait = Math.min(300, wait * 1.5)) {
    throwIfInterrupted(signal, "waiting for another process");
    const holder = await readHolder(path);
    if (holder !== undefined && (await isLeftBehind(path, holder, me.host, staleMs))) {
      await breakLock(path, holder);
      continue;
    }
    if (holder !== undefined && holder.token !== "" && !told) {
      options.onWait?.(holder);
      told = true;
    }
    await sleep(wait * (0.5 + Math.random()), undefined, { signal }).catch(() => {});
  }
  const heart = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => {}); // somebody broke the lock: both go on, see above
  }, beatMs);
  heart.unref();
  try {
    return await work();
  } finally {
    clearInterval(heart);
    if ((await readHolder(path))?.token === me.token) await rm(path, { force: true }).catch(() => {});
  }
}

async function take(path: string, me: LockHolder): Promise<boolean> {
  try {
    const handle = await open(path, "wx");
    try {
      await handle.writeFile(JSON.stringify(me));
    } finally {
      await handle.close();
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw toStorageError(error, path);
  }
}

/** Undefined when there is no lock; token "" while its text is being written. */
async function readHolder(path: string): Promise<LockHolder | undefined> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const { pid, host, token } = JSON.parse(text) as Partial<LockHolder>;
    if (typeof pid === "number" && typeof host === "string" && typeof token === "string") return { pid, host, token };
  } catch {
    // half-written
  }
  return { pid: 0, host: "", token: "" };
}

async function isLeftBehind(path: string, holder: LockHolder, host: string, staleMs: number): Promise<boolean> {
  if (holder.host === host && holder.pid > 0 && !isAlive(holder.pid)) return true;
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > staleMs;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0); // sends nothing
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

// Two may see the same lock left behind; the slower one must not remove the new lock of the faster one. So the file is moved away,
// looked at, and put back when it is another than the one that was judged.
async function breakLock(path: string, judged: LockHolder): Promise<void> {
  const aside = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    await rename(path, aside);
  } catch {
    return; // somebody else did it
  }
  const moved = await readHolder(aside);
  if (moved?.token !== judged.token) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}

/** Machine and, on Linux, its process numbering: containers may share a name but not process ids. */
async function thisHost(): Promise<string> {
  const numbering = await readlink("/proc/self/ns/pid").catch(() => "");
  return `${hostname()} ${numbering}`.trim();
}
