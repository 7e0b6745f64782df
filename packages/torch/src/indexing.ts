// PyTorch's indexing: the part without tensors is a chain of views, tensors then gather in one `aten::index`.
import { TorchError } from "./errors.js";
import { invoke, operatorEntry } from "./operators.js";
import type { Tensor } from "./tensor.js";

/** Positions from `start` up to, not including, `end`, every `step` (positive); negative ends count from the back. */
export interface Range {
  readonly start?: number | null | undefined;
  readonly end?: number | null | undefined;
  readonly step?: number | undefined;
}

/** One index: position, range, new dimension, gathering tensor, or all dimensions not named. */
export type Index = number | Range | null | Tensor | "...";

const select = operatorEntry("aten::select.int");
const slice = operatorEntry("aten::slice.Tensor");
const unsqueeze = operatorEntry("aten::unsqueeze");
const gather = operatorEntry("aten::index.Tensor");
const alias = operatorEntry("aten::alias");
const put = operatorEntry("aten::index_put_");
const copy = operatorEntry("aten::copy_");

const isTensor = (index: Index): index is Tensor => typeof index === "object" && index !== null && "handle" in index;

/** Dimensions that an index uses up. */
function consumes(index: Index): number {
  if (index === null || index === "...") return 0;
  return isTensor(index) && (index.dtype === "bool" || index.dtype === "uint8") ? index.ndim : 1;
}

interface Plan {
  /** A view of the tensor after numbers, ranges and new dimensions. */
  readonly view: Tensor;
  /** Tensors by dimension of the view; null where the whole dimension is taken. */
  readonly tensors: (Tensor | null)[];
}

function plan(tensor: Tensor, indices: readonly Index[]): Plan {
  const { ndim } = tensor;
  const used = indices.reduce<number>((sum, index) => sum + consumes(index), 0);
  if (used > ndim) {
    throw new TorchError(`too many indices: ${used} for a tensor of shape [${tensor.shape.join(", ")}]`, {
      code: "ERR_TORCH_ARGUMENT",
    });
  }
  if (indices.filter((index) => index === "...").length > 1) {
    throw new TorchError('an index has at most one "..."', { code: "ERR_TORCH_ARGUMENT" });
  }
  let view = tensor;
  let dim = 0;
  const tensors: (Tensor | null)[] = [];
  const replace = (next: unknown): void => {
    if (view !== tensor) view.dispose();
    view = next as Tensor;
  };
  for (const index of indices) {
    if (index === "...") {
      for (let i = used; i < ndim; i++) tensors.push(null);
      dim += ndim - used;
    } else if (index === null) {
      replace(invoke(unsqueeze, [view, dim]));
      tensors.push(null);
      dim++;
    } else if (typeof index === "number") {
      replace(invoke(select, [view, dim, index]));
    } else if (isTensor(index)) {
      tensors.push(index);
      dim++;
      for (let i = 1; i < consumes(index); i++) dim++;
    } else {
      replace(
        invoke(slice, [view, { dim, start: index.start ?? null, end: index.end ?? null, step: index.step ?? 1 }]),
      );
      tensors.push(null);
      dim++;
    }
  }
  return { view, tensors };
}

/** What `Tensor.index` does. */
export function indexTensor(tensor: Tensor, indices: readonly Index[]): Tensor {
  const { view, tensors } = plan(tensor, indices);
  if (tensors.some((t) => t !== null)) {
    const out = invoke(gather, [view, tensors]) as Tensor;
    if (view !== tensor) view.dispose();
    return out;
  }
  return view === tensor ? (invoke(alias, [tensor]) as Tensor) : view;
}

/** Writes `value` (broadcast) to the positions that `indices` names. */
export function assignIndex(tensor: Tensor, indices: readonly Index[], value: Tensor): void {
  const { view, tensors } = plan(tensor, indices);
  if (tensors.some((t) => t !== null)) invoke(put, [view, tensors, value]);
  else invoke(copy, [view, value]);
  if (view !== tensor) view.dispose();
}
