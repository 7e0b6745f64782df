// What this libtorch and this machine can do, threads, switches, memory in use.
import { COLLECTED, CREATED, counters, LIVE_BYTES, LIVE_TENSORS, native, PEAK_BYTES } from "./native.js";

/** What {@link version} tells. */
export interface Version {
  /** Version of the libtorch in use. */
  readonly libtorch: string;
  /** CUDA runtime it was built with, or null. */
  readonly cuda: string | null;
  /** Why the CUDA part of this libtorch could not be loaded, where it is there and could not. */
  readonly cudaProblem?: string;
  /** Number of operators it has. */
  readonly operators: number;
  /** Built with oneDNN, which gives fast convolutions and bfloat16 on the CPU. */
  readonly mkldnn: boolean;
  readonly openmp: boolean;
  readonly mkl: boolean;
  /** libtorch's own report of its build. */
  readonly details: string;
}

/** The libtorch in use. */
export function version(): Version {
  const { parallel: _, ...rest } = native.versions();
  return rest;
}

/** What {@link cpuCapabilities} tells. */
export interface CpuCapabilities {
  /** bfloat16 products in hardware (AVX-512 BF16 or AMX): autocast pays. */
  readonly bf16: boolean;
  readonly amxBf16: boolean;
  readonly amx: boolean;
  readonly avx512: boolean;
  readonly avx2: boolean;
}

/** Instruction sets of this processor that libtorch makes use of. */
export function cpuCapabilities(): CpuCapabilities {
  const { avx512Bf16, amxBf16, amx, avx512, avx2 } = native.cpuFlags();
  return { bf16: avx512Bf16 || amxBf16, amxBf16, amx, avx512, avx2 };
}

/** Threads that one operator uses. */
export function getNumThreads(): number {
  return native.numThreads();
}

/** Sets how many threads one operator uses. */
export function setNumThreads(count: number): void {
  native.setNumThreads(count);
}

/** Refuses operators without a repeatable implementation. */
export function useDeterministicAlgorithms(on: boolean): void {
  native.setFlag("deterministic", on);
}

/** NVIDIA devices, where this libtorch has CUDA. */
export const cuda = {
  isAvailable(): boolean {
    return native.cudaAvailable();
  },
  deviceCount(): number {
    return native.cudaCount();
  },
  /** Waits until all kernels of a device have run. */
  synchronize(device?: number): void {
    native.cudaSynchronize(device);
  },
  /** Lets cuDNN measure its algorithms and take the fastest. */
  setBenchmark(on: boolean): void {
    native.setFlag("cudnnBenchmark", on);
  },
  /** TensorFloat-32 in matrix products and convolutions. */
  allowTf32(on: boolean): void {
    native.setTf32(on);
  },
} as const;

/** What {@link memoryStats} tells. */
export interface MemoryStats {
  /** Tensor objects not yet disposed or collected. */
  readonly liveTensors: number;
  /** Bytes of the storages they refer to, each counted once. Tensors held only by the graph are not counted. */
  readonly liveBytes: number;
  readonly peakBytes: number;
  /** Tensor objects made since the start. */
  readonly created: number;
  /** Of these, freed by garbage collection. */
  readonly collected: number;
  /** CPU memory of freed tensors that waits for the next ones of their size; given back after some seconds. */
  readonly cachedBytes: number;
}

/** Tensors and memory in use in this JavaScript thread. */
export function memoryStats(): MemoryStats {
  return {
    liveTensors: counters[LIVE_TENSORS] as number,
    liveBytes: counters[LIVE_BYTES] as number,
    peakBytes: counters[PEAK_BYTES] as number,
    created: counters[CREATED] as number,
    collected: counters[COLLECTED] as number,
    cachedBytes: native.cachedBytes(),
  };
}

/** Gives the CPU memory that waits for new tensors back to the system now. */
export function emptyCache(): void {
  native.emptyCache();
}
