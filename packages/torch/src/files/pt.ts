// Reading what Python's `torch.save` wrote (and writing plain state dicts for it): state dicts, optimizer states, whole training checkpoints. Nothing in the file is
// executed: objects of unknown classes come back as inert `PickledObject`s. TorchScript archives are for `jit.load`.
// Both formats: the ZIP archive (PyTorch ≥ 1.6) and the older stream of pickles (torch/serialization.py describes both).
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import type { Device, DType } from "../dtype.js";
import { aten } from "../operators.js";
import { scope } from "../scope.js";
import { pickleSave } from "../script-native.js";
import { Tensor } from "../tensor.js";
import { ITEM_SIZE, tensorOverBytes } from "./bytes.js";
import { writeAll, writeFileAtomic } from "./disk.js";
import { TensorFileError } from "./errors.js";
import { PickledGlobal, type PickleHandlers, readPickle } from "./pickle.js";
import { ZipFile } from "./zip.js";

/** Python's storage classes. */
const STORAGE_DTYPES: Readonly<Record<string, DType>> = {
  "torch.FloatStorage": "float32",
  "torch.DoubleStorage": "float64",
  "torch.HalfStorage": "float16",
  "torch.BFloat16Storage": "bfloat16",
  "torch.LongStorage": "int64",
  "torch.IntStorage": "int32",
  "torch.ShortStorage": "int16",
  "torch.CharStorage": "int8",
  "torch.ByteStorage": "uint8",
  "torch.BoolStorage": "bool",
  "torch.ComplexFloatStorage": "complex64",
  "torch.ComplexDoubleStorage": "complex128",
};

/** Dtypes as Python pickles them by name. */
const DTYPE_NAMES: Readonly<Record<string, DType>> = {
  "torch.float32": "float32",
  "torch.float64": "float64",
  "torch.float16": "float16",
  "torch.bfloat16": "bfloat16",
  "torch.int64": "int64",
  "torch.int32": "int32",
  "torch.int16": "int16",
  "torch.int8": "int8",
  "torch.uint8": "uint8",
  "torch.bool": "bool",
  "torch.complex64": "complex64",
  "torch.complex128": "complex128",
};

/** A storage of the file. Untyped ones have no dtype: a tensor over them brings its own. */
class Storage {
  readonly #views = new Map<DType, Tensor>();

  constructor(
    readonly buffer: ArrayBuffer,
    readonly dtype: DType | null,
  ) {}

  /** All of it as a tensor [n]; the same tensor each time, so that tensors over it share memory. */
  flat(dtype: DType): Tensor {
    let view = this.#views.get(dtype);
    if (view === undefined) {
      view = tensorOverBytes(this.buffer, dtype);
      this.#views.set(dtype, view);
    }
    return view;
  }
}

/** Options of `load`. */
export interface PtLoadOptions {
  /** Where the tensors go; devices named in the file are ignored. Default `cpu`. */
  readonly device?: Device;
}

/**
 * Reads a `.pt`, `.pth` or `.ckpt` file. Dictionaries become `Map`, lists and tuples arrays, `None` null, dtypes and devices
 * their names; parameters become plain tensors without gradient. Tensors that shared memory share it here too (on the CPU).
 * @throws TensorFileError when the file is damaged, a TorchScript archive, or no PyTorch file
 */
export function load(path: string, { device = "cpu" }: PtLoadOptions = {}): unknown {
  return scope(() => {
    const value = isZip(path) ? loadZip(path) : loadLegacy(path);
    return device === "cpu" ? value : moved(value, device, new Map());
  });
}

/**
 * Reads a file that holds a state dict, directly or under the key `state_dict` or `model` as training tools write it.
 * @throws TensorFileError when it holds something else
 */
export function loadStateDict(path: string, options: PtLoadOptions = {}): Map<string, Tensor> {
  const value = load(path, options);
  for (const candidate of [value, ...["state_dict", "model"].map((key) => value instanceof Map && value.get(key))]) {
    if (
      candidate instanceof Map &&
      candidate.size > 0 &&
      [...candidate.values()].every((item) => item instanceof Tensor)
    )
      return candidate;
  }
  const keys = value instanceof Map ? ` with keys ${[...value.keys()].slice(0, 20).join(", ")}` : "";
  throw new TensorFileError(
    path,
    `holds no state dict but ${value === null ? "None" : (value as object).constructor?.name}${keys}`,
  );
}

/** Writes a state dict that Python's `torch.load` reads (a plain dict of CPU tensors), atomically. */
export function saveStateDict(path: string, tensors: ReadonlyMap<string, Tensor>): void {
  const bytes = scope(() => pickleSave(new Map([...tensors].map(([name, tensor]) => [name, tensor.detach().cpu()]))));
  writeFileAtomic(path, (fd) => writeAll(fd, bytes));
}

function isZip(path: string): boolean {
  const fd = openSync(path, "r");
  try {
    const mark = Buffer.alloc(4);
    return readSync(fd, mark, 0, 4, 0) === 4 && mark.toString("latin1") === "PK\x03\x04";
  } finally {
    closeSync(fd);
  }
}

function loadZip(path: string): unknown {
  using zip = new ZipFile(path);
  const pickle = zip.names().find((name) => name === "data.pkl" || name.endsWith("/data.pkl"));
  if (pickle === undefined) throw new TensorFileError(path, "is a ZIP archive without data.pkl; not a PyTorch file");
  const root = pickle.slice(0, -"data.pkl".length);
  if (zip.has(`${root}constants.pkl`)) {
    throw new TensorFileError(path, "is a TorchScript archive; open it with torch.jit.load");
  }
  if (zip.has(`${root}byteorder`) && Buffer.from(zip.read(`${root}byteorder`)).toString() !== "little") {
    throw new TensorFileError(path, "was written on a big-endian machine; save it again on a little-endian one");
  }
  const storages = new Map<string, Storage>();
  const handlers = pytorchHandlers((key, dtype) => {
    let storage = storages.get(key);
    if (storage === undefined) {
      storage = new Storage(zip.read(`${root}data/${key}`).buffer, dtype);
      storages.set(key, storage);
    }
    return storage;
  });
  return unpickle(zip.read(pickle), handlers, path).value;
}

/** First pickle of the old format. */
const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn;

/**
 * The old format: pickles of a magic number, a protocol number, system facts, the object and the list of storage keys, then for each
 * key its length (int64) and its bytes. The object comes before its storages, so those are filled in afterwards.
 */
function loadLegacy(path: string): unknown {
  const bytes = readFileSync(path);
  let at = 0;
  const next = (handlers: PickleHandlers = {}): unknown => {
    const { value, end } = unpickle(bytes, handlers, path, at);
    at = end;
    return value;
  };
  let magic: unknown;
  try {
    magic = next();
  } catch (error) {
    throw new TensorFileError(path, "is not a file that torch.save wrote", { cause: error });
  }
  if (magic !== LEGACY_MAGIC || next() !== 1001) throw new TensorFileError(path, "is not a file that torch.save wrote");
  const system = next();
  if (system instanceof Map && system.get("little_endian") === false) {
    throw new TensorFileError(path, "was written on a big-endian machine; save it again on a little-endian one");
  }
  const storages = new Map<string, Storage>();
  const value = next(
    pytorchHandlers((key, dtype, count) => {
      let storage = storages.get(key);
      if (storage === undefined) {
        const size = count * ITEM_SIZE[dtype ?? "uint8"];
        if (size > bytes.byteLength)
          throw new TensorFileError(path, `needs ${size} bytes for storage ${key}; truncated`);
        storage = new Storage(new ArrayBuffer(size), dtype);
        storages.set(key, storage);
      }
      return storage;
    }),
  );
  for (const key of next() as string[]) {
    const storage = storages.get(key);
    if (storage === undefined) throw new TensorFileError(path, `has data for storage ${key}, which no tensor uses`);
    at += 8; // the count, known from the object
    if (at + storage.buffer.byteLength > bytes.byteLength)
      throw new TensorFileError(path, "ends inside its data; truncated");
    new Uint8Array(storage.buffer).set(bytes.subarray(at, at + storage.buffer.byteLength));
    at += storage.buffer.byteLength;
  }
  return value;
}

function unpickle(bytes: Uint8Array, handlers: PickleHandlers, path: string, offset = 0) {
  try {
    return readPickle(bytes, handlers, offset);
  } catch (error) {
    if (error instanceof TensorFileError) throw error;
    throw new TensorFileError(path, (error as Error).message, { cause: error });
  }
}

/** Meaning of the few Python names that a PyTorch file needs. */
function pytorchHandlers(storageOf: (key: string, dtype: DType | null, count: number) => Storage): PickleHandlers {
  return {
    global: (name) => DTYPE_NAMES[name],
    persistent(id) {
      // ("storage", class, key, device, count) and, in old files, a view into another storage, which nothing writes any more.
      const [kind, type, key, , count] = id as [string, unknown, string, string, number];
      if (kind !== "storage" || !(type instanceof PickledGlobal))
        throw new Error("it refers to data of an unknown kind");
      const dtype = STORAGE_DTYPES[type.name];
      if (dtype === undefined && !/\.UntypedStorage$/.test(type.name))
        throw new Error(`it has a storage of type ${type.name}`);
      return storageOf(key, dtype ?? null, count);
    },
    call(name, args) {
      switch (name) {
        case "torch._utils._rebuild_tensor":
        case "torch._utils._rebuild_tensor_v2":
          return rebuild(args);
        case "torch._utils._rebuild_tensor_v3":
          return rebuild(args, args[6] as DType);
        case "torch._utils._rebuild_parameter":
          return args[0];
        case "torch.jit._pickle.restore_type_tag": // what C++ writes around a dict or list
        case "torch.jit._pickle.build_intlist":
        case "torch.jit._pickle.build_doublelist":
        case "torch.jit._pickle.build_boollist":
        case "torch.jit._pickle.build_tensorlist":
        case "torch.Size":
          return args[0];
        case "torch.device":
          return args.join(":");
        default:
          return undefined;
      }
    },
  };
}

function rebuild([storage, offset, size, stride]: readonly unknown[], dtype?: DType): Tensor {
  if (!(storage instanceof Storage)) throw new Error("a tensor has no storage");
  const type = dtype ?? storage.dtype;
  if (type === null) throw new Error("a tensor over an untyped storage has no dtype");
  return aten("as_strided", storage.flat(type), size, stride, offset) as Tensor;
}

/** Replaces tensors in nested values by copies on a device; each tensor once. */
function moved(value: unknown, device: Device, done: Map<unknown, unknown>): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (done.has(value)) return done.get(value);
  if (value instanceof Tensor) {
    const copy = value.to({ device });
    done.set(value, copy);
    return copy;
  }
  done.set(value, value);
  if (value instanceof Map) for (const [key, item] of value) value.set(key, moved(item, device, done));
  else if (Array.isArray(value)) for (const [i, item] of value.entries()) value[i] = moved(item, device, done);
  return value;
}
