// The one error class of this package. Every C++ exception arrives as one, without its C++ backtrace.

/** A tensor argument of the call that failed. */
export interface ErrorArgument {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly device: string;
}

/** What a {@link TorchError} is made of besides its message. */
export interface TorchErrorDetails {
  readonly code?: string;
  readonly operator?: string;
  readonly arguments?: readonly ErrorArgument[];
  readonly cause?: unknown;
}

/**
 * What went wrong in libtorch or in this package.
 *
 * `code` is stable: `ERR_TORCH` (libtorch refused), `ERR_TORCH_ARGUMENT`, `ERR_TORCH_OPERATOR` (no such operator in this
 * libtorch), `ERR_TORCH_DISPOSED`, `ERR_TORCH_OUT_OF_MEMORY`, `ERR_TORCH_SHAPE`, `ERR_TORCH_DTYPE`, `ERR_TORCH_FILE`, …
 * `operator` is the ATen name (`aten::add.Tensor`), `shapes` and `dtypes` those of its tensor arguments, in order.
 */
export class TorchError extends Error {
  override readonly name = "TorchError";
  readonly code: string;
  readonly operator: string | null;
  readonly shapes: readonly (readonly number[])[];
  readonly dtypes: readonly string[];
  readonly arguments: readonly ErrorArgument[];

  constructor(message: string, details: TorchErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code ?? "ERR_TORCH";
    this.operator = details.operator ?? null;
    this.arguments = details.arguments ?? [];
    this.shapes = this.arguments.map((a) => a.shape);
    this.dtypes = this.arguments.map((a) => a.dtype);
  }
}

/** The C++ half calls this to make the error it throws. */
export function makeNativeError(
  code: string,
  message: string,
  operator: string | null,
  args: readonly ErrorArgument[],
): TorchError {
  const list = args.map(
    (a) =>
      `${a.name}: ${a.dtype}[${a.shape.join(", ")}]${a.device === "cpu" || a.device === "none" ? "" : ` on ${a.device}`}`,
  );
  const text = `${operator === null ? "" : `${operator}: `}${message}${list.length > 0 ? ` (${list.join("; ")})` : ""}`;
  return new TorchError(text, { code, ...(operator === null ? {} : { operator }), arguments: args });
}

/** The candidate nearest to `given` in edit distance, for "did you mean"; undefined when none is near. */
export function nearest(given: string, candidates: Iterable<string>): string | undefined {
  const wanted = given.toLowerCase();
  let best: string | undefined;
  let least = Math.max(2, Math.floor(given.length / 3)) + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - given.length) >= least) continue;
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

/** ` Did you mean "x"?`, or nothing. */
export function didYouMean(given: string, candidates: Iterable<string>): string {
  const near = nearest(given, candidates);
  return near === undefined ? "" : `. Did you mean "${near}"?`;
}
