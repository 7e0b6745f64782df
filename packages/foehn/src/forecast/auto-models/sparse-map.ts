// Interpolation weights between two grids on the engine, applied to the last dimension of a tensor, on whatever device the model is.
// Not here: regridding of fields on the way in (grid/regrid/), map files (io/regrid-map.ts).

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { ModelError } from "../../core/errors.js";
import type { SparseWeights } from "../../grid/regrid/sparse.js";

/** Sizes of a map, and where it is. */
export interface SparseMapSize {
  readonly outputs: number;
  readonly inputs: number;
  readonly device: string;
}

/** out[row] = Σ S · in[col]. */
export class SparseMap implements Disposable {
  readonly #matrix: Tensor;

  /** @param matrix (outputs, inputs), sparse; taken over */
  constructor(
    matrix: Tensor,
    readonly size: Omit<SparseMapSize, "device">,
  ) {
    this.#matrix = matrix;
  }

  /** (…, inputs) → (…, outputs), float32. */
  apply(x: Tensor): Tensor {
    return torch.scope(() => {
      const columns = x.reshape([-1, this.size.inputs]).t().contiguous();
      return this.#matrix
        .mm(columns)
        .t()
        .reshape([...x.shape.slice(0, -1), this.size.outputs])
        .contiguous();
    });
  }

  [Symbol.dispose](): void {
    this.#matrix.dispose();
  }
}

/**
 * The weights of a map file (io/regrid-map.ts) on the engine.
 * @throws ModelError when they are for larger grids than the model's
 */
export function sparseMap(
  weights: SparseWeights,
  { outputs, inputs, device }: SparseMapSize,
  where: string,
): SparseMap {
  const { rows, columns, rowStart, column, weight } = weights;
  if (rows > outputs || columns > inputs) {
    throw new ModelError(`the map leads from ${columns} to ${rows} points, the model has ${inputs} and ${outputs}`, {
      where,
      hint: "the map is for other grids than the model",
    });
  }
  const count = weight.length;
  const indices = new BigInt64Array(2 * count);
  for (let row = 0; row < rows; row++) {
    for (let n = rowStart[row]!; n < rowStart[row + 1]!; n++) indices[n] = BigInt(row);
  }
  for (let n = 0; n < count; n++) indices[count + n] = BigInt(column[n]!);
  const matrix = torch.scope(() => {
    const at = torch.fromTypedArray(indices, [2, count]);
    const values = torch.fromTypedArray(Float32Array.from(weight), [count]);
    const sparse = torch.aten("_sparse_coo_tensor_unsafe", at, values, [outputs, inputs], {}) as Tensor;
    return (torch.aten("coalesce", sparse) as Tensor).to({ device });
  });
  return new SparseMap(torch.keep(matrix), { outputs, inputs });
}
