// Coastlines of Natural Earth (public domain) through the world-atlas package: 1:50 million for regions, 1:110 million for large maps.
// Drawn as open lines (the topology's mesh), so that the clip at the map's frame leaves no false shore along it.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { geoPath } from "d3-geo";
import type { MultiLineString } from "geojson";
import { mesh } from "topojson-client";
import type { Topology } from "topojson-specification";
import type { MapView } from "./map-view.js";
import { el } from "./svg.js";

type Resolution = "50m" | "110m";

const loaded = new Map<Resolution, MultiLineString>();

/** SVG path data of the coastlines inside a view; empty over open sea. */
export function coastlinePath(view: MapView): string {
  // Beyond a quarter of the globe the finer line is thinner than the pen.
  const resolution = view.east - view.west > 100 ? "110m" : "50m";
  return geoPath(view.projection).digits(1)(coastlines(resolution)) ?? "";
}

/** Definition of a path under the id `coast`, for {@link coastlineStrokes} to draw in every panel of a figure. */
export function coastlineDefinition(path: string): string {
  return path === ""
    ? ""
    : el("defs", {}, el("path", { id: "coast", d: path, fill: "none", "stroke-linejoin": "round" }));
}

/** The defined coastlines as two strokes: a pale casing so that they show on dark colours, and the line itself. */
export function coastlineStrokes(): string {
  const href = { "xlink:href": "#coast" };
  return (
    el("use", { ...href, stroke: "#ffffff", "stroke-opacity": 0.55, "stroke-width": 1.9 }) +
    el("use", { ...href, stroke: "#15181f", "stroke-width": 0.8 })
  );
}

function coastlines(resolution: Resolution): MultiLineString {
  let lines = loaded.get(resolution);
  if (!lines) {
    const file = createRequire(import.meta.url).resolve(`world-atlas/land-${resolution}.json`);
    const topology = JSON.parse(readFileSync(file, "utf8")) as Topology;
    lines = mesh(topology);
    loaded.set(resolution, lines);
  }
  return lines;
}
