// Errors of the tensor file formats (safetensors, .pt, npy, npz).
// They say which file, what is wrong with it, and what to do. Errors of libtorch itself are `TorchError`.

/** A tensor file is damaged, of another kind, or uses something this library does not read. */
export class TensorFileError extends Error {
  /** Stable code for programs. */
  readonly code = "TENSOR_FILE";
  /** The file, as the caller named it. */
  readonly path: string;

  constructor(path: string, problem: string, options?: ErrorOptions) {
    super(`${path}: ${problem}`, options);
    this.name = "TensorFileError";
    this.path = path;
  }
}
