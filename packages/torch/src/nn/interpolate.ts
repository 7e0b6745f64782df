// Resampling of the spatial axes. PyTorch: torch.nn.functional.interpolate.
import { aten } from "../operators.js";
import type { Tensor } from "../tensor.js";
import { recorder } from "../trace/recorder.js";
import { bilinearProducts, prefersProducts } from "./bilinear-products.js";

/** Methods; `linear` is for (N, C, L), `bilinear` and `bicubic` for (N, C, H, W), `trilinear` for (N, C, D, H, W). */
export const INTERPOLATE_MODES = [
  "nearest",
  "nearest-exact",
  "linear",
  "bilinear",
  "bicubic",
  "trilinear",
  "area",
] as const;

/** A method of `interpolate`. */
export type InterpolateMode = (typeof INTERPOLATE_MODES)[number];

/** Options of `interpolate`: exactly one of `size` and `scaleFactor`. */
export interface InterpolateOptions {
  /** Output size: one number for all spatial axes, or one each. */
  readonly size?: number | readonly number[];
  /** Factor on the size: one number for all spatial axes, or one each. */
  readonly scaleFactor?: number | readonly number[];
  /** Default `nearest`. */
  readonly mode?: InterpolateMode;
  /** Align the centres of the corner cells (true) or the outer edges (false, default). Not for `nearest` and `area`. */
  readonly alignCorners?: boolean;
  /** Smooth before shrinking (`bilinear` and `bicubic` only). */
  readonly antialias?: boolean;
}

const SPATIAL_AXES: Partial<Record<InterpolateMode, number>> = { linear: 1, bilinear: 2, bicubic: 2, trilinear: 3 };

/** Resamples (N, C, …spatial) to (N, C, …new spatial). */
export function interpolate(x: Tensor, options: InterpolateOptions): Tensor {
  const { mode = "nearest", alignCorners, antialias = false } = options;
  const axes = x.ndim - 2;
  const wanted = SPATIAL_AXES[mode];
  if (axes < 1 || axes > 3 || (wanted !== undefined && wanted !== axes)) {
    const rank = wanted === undefined ? "3 to 5" : String(wanted + 2);
    throw new RangeError(`interpolate: mode "${mode}" needs ${rank} dimensions, got shape [${x.shape.join(", ")}]`);
  }
  if (alignCorners !== undefined && wanted === undefined) {
    throw new RangeError(`interpolate: alignCorners has no meaning with mode "${mode}"`);
  }
  if ((options.size === undefined) === (options.scaleFactor === undefined)) {
    throw new RangeError("interpolate: give either size or scaleFactor");
  }
  if (antialias && mode !== "bilinear" && mode !== "bicubic") {
    throw new RangeError(`interpolate: antialias works with "bilinear" and "bicubic", not with "${mode}"`);
  }
  const size = perAxis(options.size, axes, "size");
  const scale = perAxis(options.scaleFactor, axes, "scaleFactor");
  switch (mode) {
    case "area": {
      const output = size ?? x.shape.slice(2).map((n, i) => Math.floor(n * scale![i]!));
      return aten(
        axes === 1 ? "adaptive_avg_pool1d" : axes === 2 ? "adaptive_avg_pool2d" : "adaptive_avg_pool3d",
        x,
        output,
      ) as Tensor;
    }
    case "nearest":
      return aten(`upsample_nearest${axes}d.vec`, x, size, scale) as Tensor;
    case "nearest-exact":
      return aten(`_upsample_nearest_exact${axes}d.vec`, x, size, scale) as Tensor;
    case "linear":
    case "bilinear":
    case "bicubic":
    case "trilinear": {
      // A trace keeps the plain call: every exporter knows it, and `fuseForInference` has something better still.
      if (mode === "bilinear" && !antialias && recorder === null && prefersProducts(x)) {
        const output = size ?? x.shape.slice(2).map((n, i) => Math.floor(n * scale![i]!));
        return bilinearProducts(x, output as [number, number], {
          alignCorners: alignCorners ?? false,
          steps: scale === null ? undefined : [1 / scale[0]!, 1 / scale[1]!],
        });
      }
      const name = `${antialias ? "_" : ""}upsample_${mode}${mode === "linear" ? "1d" : mode === "trilinear" ? "3d" : "2d"}${antialias ? "_aa" : ""}.vec`;
      return aten(name, x, size, alignCorners ?? false, scale) as Tensor;
    }
    default:
      throw new RangeError(
        `interpolate: unknown mode "${mode satisfies never}"; known are ${INTERPOLATE_MODES.join(", ")}`,
      );
  }
}

function perAxis(value: number | readonly number[] | undefined, axes: number, name: string): readonly number[] | null {
  if (value === undefined) return null;
  if (typeof value === "number") return new Array<number>(axes).fill(value);
  if (value.length !== axes)
    throw new RangeError(`interpolate: ${name} [${value.join(", ")}] should have ${axes} values`);
  return value;
}
