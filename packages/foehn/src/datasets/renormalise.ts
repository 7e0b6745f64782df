// A dataset's samples in the normalisation of another: what a network sees must be scaled as in its training, also when it is tried
// on other data. Features must be the same; their order is the dataset's own.

import * as torch from "@foehn/torch";
import type { NamedTensor } from "../tensor/named-tensor.js";
import type { Dataset, DatasetInfo, Item, ItemDims } from "./dataset.js";

/** (x · std + mean − mean₂) / std₂ as x · scale + shift. */
interface Change {
  readonly scale: number;
  readonly shift: number;
}

/**
 * The dataset normalised with the statistics of `info`, which becomes its own description.
 * @param info of the training; features without statistics there (computed forcings) stay as they are
 */
export function renormalised(dataset: Dataset, info: DatasetInfo): Dataset {
  const changes = new Map<string, Change>();
  for (const [name, from] of Object.entries(dataset.info.stats)) {
    const to = info.stats[name];
    if (to === undefined || (to.mean === from.mean && to.std === from.std)) continue;
    changes.set(name, { scale: from.std / to.std, shift: (from.mean - to.mean) / to.std });
  }
  const times = (i: number) => dataset.times(i);
  const { prefetch } = dataset;
  return {
    info,
    length: dataset.length,
    times,
    item: async (i) => (changes.size === 0 ? dataset.item(i) : changeItem(await dataset.item(i), changes)),
    ...(prefetch && { prefetch: (i) => prefetch.call(dataset, i) }),
  };
}

function changeItem(item: Item, changes: ReadonlyMap<string, Change>): Item {
  const { mask, inputMask } = item;
  return {
    ...item,
    inputs: change(item.inputs, changes, inputMask),
    outputs: change(item.outputs, changes, mask),
    forcing: change(item.forcing, changes, undefined),
  };
}

/** A changed copy; the old tensor is freed. Missing points stay 0. */
function change(
  part: NamedTensor<ItemDims>,
  changes: ReadonlyMap<string, Change>,
  mask: NamedTensor<ItemDims> | undefined,
): NamedTensor<ItemDims> {
  if (!part.featureNames.some((name) => changes.has(name))) return part;
  const tensor = torch.keep(
    torch.noGrad(() =>
      torch.scope(() => {
        const { device } = part;
        const vector = (key: keyof Change, other: number) =>
          torch.tensor(
            part.featureNames.map((name) => changes.get(name)?.[key] ?? other),
            { device },
          );
        const changed = part.tensor.mul(vector("scale", 1)).add(vector("shift", 0));
        return mask === undefined ? changed : changed.mul(mask.tensor);
      }),
    ),
  );
  const result = part.withTensor(tensor);
  part.dispose();
  return result;
}
