// Checkpoints on disk: `checkpoints/step-000120/{model,optimizer}.safetensors, state.json`, and two links, `last` and `best`.
// A checkpoint is written under a temporary name and renamed; then the link is renamed over the old one; then what no link
// names is removed. So there is a complete `last` at every moment after the first, whatever kills the process.

import { existsSync, readlinkSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, symlink } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { FormatError, StorageError } from "../core/errors.js";
import { atomicWrite, atomicWriteSync, temporaryPath, toStorageError } from "../core/files.js";

/** Names of the links. */
export type CheckpointName = "last" | "best";

/** What a checkpoint holds: tensors in two files, everything else as JSON. */
export interface Checkpoint<State> {
  /** The network's state dict. */
  readonly model: Map<string, Tensor>;
  /** Optimiser state, gradients of an unfinished accumulation, generator states. */
  readonly optimizer: Map<string, Tensor>;
  readonly state: State;
}

/** The folder of checkpoints of one run. */
export class CheckpointFolder {
  constructor(readonly path: string) {}

  /** Path of a checkpoint, through its link. It may not exist. */
  linkPath(name: CheckpointName): string {
    return join(this.path, name);
  }

  has(name: CheckpointName): boolean {
    return existsSync(join(this.path, name, "state.json"));
  }

  /**
   * Writes a checkpoint and points the links to it.
   * @param step for its name only
   * @param make gives the contents; tensors it makes are freed when they are written
   * @throws StorageError when the disk is full or not writable; the old checkpoints are still there then
   */
  async save(step: number, links: readonly CheckpointName[], make: () => Checkpoint<unknown>): Promise<void> {
    try {
      await mkdir(this.path, { recursive: true });
      const path = this.#freshPath(step);
      await atomicWrite(path, async (temporary) => {
        await mkdir(temporary);
        torch.scope(() => {
          const { model, optimizer, state } = make();
          torch.safetensors.save(join(temporary, "model.safetensors"), model);
          torch.safetensors.save(join(temporary, "optimizer.safetensors"), optimizer);
          atomicWriteSync(join(temporary, "state.json"), `${JSON.stringify(state, null, 1)}\n`);
        });
      });
      for (const link of links) await this.#point(link, basename(path));
      await this.#prune();
    } catch (error) {
      throw toStorageError(error, this.path);
    }
  }

  /** Reads a checkpoint. @throws StorageError when there is none, FormatError when it is damaged */
  async load<State>(name: CheckpointName): Promise<Checkpoint<State>> {
    return readCheckpoint<State>(this.linkPath(name));
  }

  #freshPath(step: number): string {
    const path = join(this.path, `step-${String(step).padStart(8, "0")}`);
    for (let i = 0; ; i++) {
      const candidate = i === 0 ? path : `${path}.${i}`;
      if (!existsSync(candidate)) return candidate;
    }
  }

  async #point(link: CheckpointName, target: string): Promise<void> {
    const temporary = temporaryPath(this.linkPath(link));
    await symlink(target, temporary);
    await rename(temporary, this.linkPath(link));
  }

  /** Removes checkpoints without a link and leftovers of writes that were killed. */
  async #prune(): Promise<void> {
    const kept = new Set<string>(["last", "best"]);
    for (const link of ["last", "best"] as const) {
      try {
        kept.add(readlinkSync(this.linkPath(link)));
      } catch {
        // No such link yet.
      }
    }
    for (const name of await readdir(this.path)) {
      if (!kept.has(name) && /^step-|\.tmp$/.test(name))
        await rm(join(this.path, name), { recursive: true, force: true });
    }
  }
}

/** Reads the folder of one checkpoint. @throws StorageError when it is not there, FormatError when it is damaged */
export async function readCheckpoint<State>(path: string): Promise<Checkpoint<State>> {
  if (!existsSync(join(path, "state.json"))) {
    throw new StorageError(`no checkpoint at ${path}`, {
      hint: "the run was stopped before its first checkpoint; train again",
    });
  }
  const stateText = await readFile(join(path, "state.json"), "utf8");
  try {
    const state = JSON.parse(stateText) as State;
    const model = torch.safetensors.load(join(path, "model.safetensors")).tensors;
    const optimizer = torch.safetensors.load(join(path, "optimizer.safetensors")).tensors;
    return { model, optimizer, state };
  } catch (error) {
    throw new FormatError(
      `cannot read the checkpoint ${path}: ${error instanceof Error ? error.message : String(error)}`,
      {
        hint: "it was damaged after it was written; use the other checkpoint (`best` or `last`)",
        cause: error,
      },
    );
  }
}
