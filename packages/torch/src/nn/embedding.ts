// Embedding: a table of learned vectors. PyTorch: torch.nn.Embedding.

import { empty } from "../creation.js";
import * as ops from "../generated/functions.js";
import { noGrad } from "../guards.js";
import { scope } from "../scope.js";
import type { Tensor } from "../tensor.js";
import { normal_ } from "./init.js";
import { Module } from "./module.js";
import { makeParameter, type Parameter, type ParameterOptions } from "./parameter.js";

/** y = W[i]: integers (…) → (…, embeddingDim). W [numEmbeddings, embeddingDim] starts from N(0, 1). */
export class Embedding extends Module {
  readonly weight: Parameter;
  readonly paddingIdx: number | null;

  constructor(
    readonly numEmbeddings: number,
    readonly embeddingDim: number,
    { paddingIdx = null, ...options }: { readonly paddingIdx?: number | null } & ParameterOptions = {},
  ) {
    super();
    this.paddingIdx = paddingIdx !== null && paddingIdx < 0 ? numEmbeddings + paddingIdx : paddingIdx;
    this.weight = makeParameter(empty([numEmbeddings, embeddingDim], options));
    this.resetParameters();
  }

  /** Draws new initial values; the row of `paddingIdx` is zero. */
  resetParameters(): void {
    normal_(this.weight);
    const row = this.paddingIdx;
    if (row !== null) noGrad(() => scope(() => void this.weight.select(0, row).zero_()));
  }

  override forward(indices: Tensor): Tensor {
    return ops.embedding(this.weight, indices, { paddingIdx: this.paddingIdx ?? -1 });
  }

  override extraRepr(): string {
    return `${this.numEmbeddings}, ${this.embeddingDim}`;
  }
}
