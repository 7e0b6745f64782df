// Checkpoints of networks as their publishers wrote them: PhysicsNeMo's `.mdlus` (a tar, since 2025 a zip, of args.json, metadata.json and model.pt), training
// checkpoints (`model_state` with names beginning in "module."), plain state dicts, and safetensors. Nothing in a pickle is executed.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { FormatError } from "../../core/errors.js";
import { unpacked } from "../../hub/archive/unpacked.js";
import { withFile } from "../../io/byte-reader.js";

/** Weights and what the file says of the network. */
export interface NetworkCheckpoint {
  readonly path: string;
  /** By the network's own names, without "module." and without PhysicsNeMo's bookkeeping. The caller disposes them. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Arguments of the network's constructor; empty where the file has none. */
  readonly args: Readonly<Record<string, unknown>>;
}

/** Keys under which training scripts keep a state dict. */
const stateKeys = ["model_state", "model_state_dict", "state_dict", "model"];

/** Reads a checkpoint by its ending. @throws FormatError, TensorFileError when it is none */
export async function readCheckpoint(path: string, signal?: AbortSignal): Promise<NetworkCheckpoint> {
  if (path.endsWith(".safetensors")) {
    const { tensors, metadata } = torch.safetensors.load(path);
    return { path, tensors: ownNames(tensors), args: parseArgs(metadata?.args ?? "{}", path) };
  }
  if (!path.endsWith(".mdlus")) return { path, tensors: stateDict(path), args: {} };
  const folder = await unpacked(path, { format: isZip(path) ? "zip" : "tar", signal });
  const text = await readFile(join(folder, "args.json"), "utf8").catch((cause: unknown) => {
    throw new FormatError("the checkpoint has no args.json", {
      where: path,
      hint: "a .mdlus file is an archive that PhysicsNeMo wrote",
      cause,
    });
  });
  return { path, tensors: stateDict(join(folder, "model.pt")), args: parseArgs(text, path) };
}

function isZip(path: string): boolean {
  return withFile(path, (file) => file.size >= 4 && file.bytes(0, 4).toString("latin1") === "PK\x03\x04");
}

function stateDict(path: string): Map<string, Tensor> {
  const value = torch.load(path);
  const candidates = [value, ...stateKeys.map((key) => (value instanceof Map ? value.get(key) : undefined))];
  for (const candidate of candidates) {
    if (!(candidate instanceof Map)) continue;
    const tensors = [...candidate].filter((entry): entry is [string, Tensor] => entry[1] instanceof torch.Tensor);
    if (tensors.length > 0 && tensors.length === candidate.size) return ownNames(new Map(tensors));
  }
  const keys = value instanceof Map ? `it has ${[...value.keys()].slice(0, 12).join(", ")}` : undefined;
  throw new FormatError("the file holds no state dict", { where: path, hint: keys });
}

function ownNames(tensors: ReadonlyMap<string, Tensor>): Map<string, Tensor> {
  const own = new Map<string, Tensor>();
  for (const [name, tensor] of tensors) {
    const short = name.replace(/^(module\.|_orig_mod\.)+/, "");
    if (short === "device_buffer" || short.endsWith(".device_buffer")) tensor.dispose();
    else own.set(short, tensor);
  }
  return own;
}

function parseArgs(text: string, path: string): Record<string, unknown> {
  try {
    const value = JSON.parse(text) as { __args__?: Record<string, unknown> };
    return { ...(value.__args__ ?? (value as Record<string, unknown>)) };
  } catch (cause) {
    throw new FormatError("args.json of the checkpoint is not JSON", { where: path, cause });
  }
}
