// State dicts in files of several dialects, brought to the keys of a network here:
//   *.safetensors           as it is
//   *.pt, *.pth, *.ckpt, …  a plain state dict, or a checkpoint with one under `state_dict`, `model_state_dict`, `model_state` or `model`
// Wrappers put a prefix before every key: Lightning modules `model.`, DDP `module.`, torch.compile `_orig_mod.`. Prefixes are taken
// off while no key is known; keys of the wrapper itself (losses, statistics, masks) are left out then.
// Nothing in a file is executed.

import * as torch from "@foehn/torch";
import { Tensor } from "@foehn/torch";
import { FormatError } from "../core/errors.js";

const CONTAINERS = ["state_dict", "model_state_dict", "model_state", "model"];
const PREFIXES = ["model.", "module.", "_orig_mod."];
const MAX_WRAPPERS = 4;

/**
 * Reads a state dict.
 * @param known the keys of the network; decide which prefix is a wrapper's
 * @returns tensors by the network's keys; unknown keys of an unwrapped file stay, so that strict loading can name them
 * @throws FormatError when the file holds no state dict
 */
export function readStateDict(path: string, known: ReadonlySet<string>): Map<string, Tensor> {
  return torch.scope(() => {
    const value: unknown = path.endsWith(".safetensors") ? torch.safetensors.load(path).tensors : torch.load(path);
    const state = findStateDict(value);
    if (state === undefined) {
      throw new FormatError(`${path} holds no state dict`, {
        hint: "expected a dictionary of tensors, or a checkpoint with one under `state_dict`",
      });
    }
    return unwrapped(state, known);
  });
}

/** Takes wrappers' prefixes off the keys. Exported for its test. */
export function unwrapped(state: ReadonlyMap<string, Tensor>, known: ReadonlySet<string>): Map<string, Tensor> {
  let current = new Map(state);
  for (let i = 0; i < MAX_WRAPPERS && ![...current.keys()].some((key) => known.has(key)); i++) {
    const prefix = PREFIXES.find((candidate) => [...current.keys()].some((key) => key.startsWith(candidate)));
    if (prefix === undefined) break;
    const inside = [...current].filter(([key]) => key.startsWith(prefix));
    current = new Map(inside.map(([key, tensor]) => [key.slice(prefix.length), tensor]));
  }
  return current;
}

function findStateDict(value: unknown): Map<string, Tensor> | undefined {
  if (!(value instanceof Map)) return undefined;
  for (const name of CONTAINERS) {
    const inner = value.get(name) as unknown;
    if (inner instanceof Map) return findStateDict(inner);
  }
  const tensors = [...value].filter((entry): entry is [string, Tensor] => entry[1] instanceof Tensor);
  return tensors.length > 0 ? new Map(tensors) : undefined;
}
