// A dataset's samples in the normalisation of another: what a network sees must be scaled as in its training, also when it is tried
// on other data. Features must be the same.

import * as torch from "@foehn/torch";
import type { NamedTensor } from "../tensor/named-tensor.js";
import type { Dataset, DatasetInfo, Item, ItemBatch } from "./dataset.js";

/** (x · std + mean − mean₂) / std₂ as x · scale + shift. */
interface Change {
  readonly scale: number;
  readonly shift: number;
}

/**
 * The dataset normalised with the statistics of `info`: the dataset itself where they are its own already.
 * @param info of the training; features without statistics there (computed forcings) stay as they are
 */
export function renormalised(dataset: Dataset, info: DatasetInfo): Dataset {
  const changes = new Map<string, Change>();
  for (const [name, from] of Object.entries(dataset.info.stats)) {
    const to = info.stats[name];
    if (to === undefined || (to.mean === from.mean && to.std === from.std)) continue;
    changes.set(name, { scale: from.std / to.std, shift: (from.mean - to.mean) / to.std });
  }
  if (changes.size === 0) return dataset;
  const { load } = dataset;
  return {
    info,
    length: dataset.length,
    loadAhead: dataset.loadAhead,
    times: (i) => dataset.times(i),
    item: async (i) => changeAll(await dataset.item(i), changes),
    ...(load && {
      load: async (samples, options) => {
        const loaded = await load.call(dataset, samples, options);
        return {
          toBatch: async () => changeAll(await loaded.toBatch(), changes),
          release: () => loaded.release(),
        };
      },
    }),
  };
}

/** Changes a sample's or batch's own tensors in place. */
function changeAll<P extends Item | ItemBatch>(parts: P, changes: ReadonlyMap<string, Change>): P {
  torch.noGrad(() =>
    torch.scope(() => {
      change(parts.inputs, parts.inputMask, changes);
      change(parts.outputs, parts.mask, changes);
      change(parts.forcing, parts.forcingMask, changes);
      if (parts.initialForcing) change(parts.initialForcing, undefined, changes);
    }),
  );
  return parts;
}

function change(
  { tensor, featureNames }: Pick<NamedTensor, "tensor" | "featureNames">,
  mask: Pick<NamedTensor, "tensor"> | undefined,
  changes: ReadonlyMap<string, Change>,
): void {
  if (!featureNames.some((name) => changes.has(name))) return;
  const vector = (key: keyof Change, unchanged: number) =>
    torch.tensor(
      featureNames.map((name) => changes.get(name)?.[key] ?? unchanged),
      { device: tensor.device },
    );
  tensor.mul_(vector("scale", 1)).add_(vector("shift", 0));
  // Missing values stay 0.
  if (mask) tensor.mul_(mask.tensor);
}
