// Several forecasts of the same weather beside each other as an animation, the truth first where it is known: which model moved the
// front too fast? One colour range and one palette for all columns and frames.
import { formatTimeShort } from "../core/time.js";
import type { Grid } from "../grid/grid.js";
import { toPixels } from "./figure.js";
import { formatLead } from "./forecast-map.js";
import { animate } from "./gif.js";
import { mapPage, type PanelSpec } from "./map-layout.js";
import { fieldScale } from "./palettes.js";
import { withUnits } from "./ticks.js";

export interface ComparisonFrame {
  /** Epoch seconds UTC. */
  readonly validTime: number;
  /** Hours since the initial time, where all columns share it. */
  readonly leadHours?: number | undefined;
  /** One field per column, (ny, nx), physical units; undefined where a column has none at this time. */
  readonly fields: readonly (Float32Array | undefined)[];
}

export interface ComparisonGifData {
  readonly grid: Grid;
  readonly variable: string;
  readonly longName?: string | undefined;
  readonly units: string;
  /** What stands above each column: `Truth`, the models' names. */
  readonly columns: readonly string[];
  readonly frames: readonly ComparisonFrame[];
}

export interface ComparisonGifOptions {
  /** Milliseconds per frame; the last stays three times as long. Default 500. */
  readonly delayMs?: number | undefined;
  /** Pixels per SVG unit. */
  readonly scale?: number | undefined;
  /** False where the data are not of this Earth. Default true. */
  readonly coastlines?: boolean | undefined;
  /** Width in cells of the frame that is given, not forecast; drawn paler. Default 0. */
  readonly borderSize?: number | undefined;
}

/** Draws the animation. @throws RangeError without frames, or when a field does not fit the grid or the columns */
export function comparisonGif(data: ComparisonGifData, options: ComparisonGifOptions = {}): Uint8Array {
  const { grid, variable, units, columns, frames } = data;
  const points = grid.shape[0] * grid.shape[1];
  for (const { fields } of frames) {
    if (fields.length !== columns.length || fields.some((field) => field && field.length !== points)) {
      throw new RangeError(`a frame has fields that do not fit ${columns.length} columns of ${points} points`);
    }
  }
  const scale = fieldScale(variable, ...frames.flatMap(({ fields }) => fields.filter((field) => field !== undefined)));
  const nothing = new Float32Array(points).fill(Number.NaN);
  const name = data.longName && data.longName !== variable ? `${data.longName} (${variable})` : variable;
  const barLabel = withUnits(data.longName ?? variable, units);
  const draw = (i: number) => {
    const { fields, validTime, leadHours } = frames[i]!;
    const lead = leadHours === undefined ? "" : `  ·  ${formatLead(leadHours)}`;
    const page = mapPage({
      grid,
      panels: columns.map((heading, k): PanelSpec => ({ heading, values: fields[k] ?? nothing, scale, barLabel })),
      title: name,
      subtitle: `valid ${formatTimeShort(validTime)} UTC${lead}`,
      caption: "",
      coastlines: options.coastlines,
      borderSize: options.borderSize,
    });
    return toPixels(page.svg, { scale: options.scale ?? 1 });
  };
  return animate(frames.length, draw, options.delayMs ?? 500);
}
