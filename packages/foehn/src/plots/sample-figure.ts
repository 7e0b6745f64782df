// One training sample as maps: a row of maps for each feature, the past states first, then what is to be predicted; forcings below.
// Values are in physical units.

import { formatTimeShort } from "../core/time.js";
import type { Grid } from "../grid/grid.js";
import type { Figure } from "./figure.js";
import { mapPage, type PanelSpec } from "./map-layout.js";
import { fieldScale, finiteRange } from "./palettes.js";
import { stackFigures } from "./stack.js";
import { formatNumber, prettyUnits, withUnits } from "./ticks.js";

/** A feature of a sample, at each of its times. */
export interface SampleFeature {
  readonly name: string;
  readonly longName: string;
  readonly units: string;
  /** `prognostic`, `diagnostic` or `forcing`. */
  readonly role: string;
  readonly steps: readonly {
    readonly kind: "input" | "target" | "forcing";
    /** Epoch seconds. */
    readonly time: number;
    /** (H, W), NaN where missing. */
    readonly values: Float32Array;
  }[];
}

/** What to draw. */
export interface SampleFigureData {
  readonly grid: Grid;
  readonly features: readonly SampleFeature[];
  readonly title: string;
  readonly borderSize?: number | undefined;
  readonly coastlines?: boolean | undefined;
}

/** Draws a sample. */
export function drawSample(data: SampleFigureData): Figure {
  const { grid, title, borderSize, coastlines } = data;
  const figures = data.features.map((feature) => {
    const scale = fieldScale(feature.name, ...feature.steps.map((step) => step.values));
    const panels: PanelSpec[] = feature.steps.map(({ kind, time, values }) => ({
      heading: `${kind} ${formatTimeShort(time).slice(5)}`,
      values,
      scale,
      barLabel: withUnits(feature.longName, feature.units),
    }));
    const [min, max] = finiteRange(...feature.steps.map((step) => step.values));
    const range = `${formatNumber(min)} to ${formatNumber(max)} ${prettyUnits(feature.units)}`.trim();
    return mapPage({
      grid,
      panels,
      title: `${feature.name}, ${feature.role}`,
      subtitle: title,
      caption: range,
      borderSize,
      coastlines,
    });
  });
  return stackFigures(figures, title);
}
