// Boxes and points as people write them: `europe=72,-25,30,45`, `48.9,2.4;52.5,13.4`, or a table of points in a CSV file.

import { readFile } from "node:fs/promises";
import { basename, extname } from "node:path";
import { FormatError, UsageError } from "../../core/errors.js";
import { toStorageError } from "../../core/files.js";
import type { PointMethod, PointsDomain, WindowDomain } from "./domains.js";

const namedText = /^([\p{L}_][^=/]*)=(.*)$/u;

/** `north,west,south,east` in degrees, with a name before it where there are several. @throws UsageError */
export function parseWindow(text: string): WindowDomain {
  const [, name = "region", rest = text] = namedText.exec(text) ?? [];
  const numbers = rest.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  const [north, west, south, east] = numbers as [number, number, number, number];
  if (numbers.length !== 4 || !numbers.every(Number.isFinite)) {
    throw new UsageError(`"${text}" is no region`, {
      hint: "write north,west,south,east in degrees: 72,-25,30,45, or europe=72,-25,30,45",
    });
  }
  if (north < south || north > 90 || south < -90) {
    throw new UsageError(`the region "${text}" goes from ${south} to ${north} °N`, {
      hint: "write north,west,south,east: the northern latitude first",
    });
  }
  return { type: "window", name, region: { north, west, south, east } };
}

/**
 * Points: `lat,lon;lat,lon`, or the name of a CSV file.
 * @throws UsageError, FormatError with file and line, StorageError
 */
export async function parsePoints(text: string, method?: PointMethod): Promise<PointsDomain> {
  const [, given, rest = text] = namedText.exec(text) ?? [];
  const isFile = /\.(csv|txt)$/i.test(rest);
  const name = given ?? (isFile ? basename(rest, extname(rest)) : "points");
  const points = isFile ? await readTable(rest) : rest.split(";").map((pair) => pointOf(pair.split(","), pair));
  const latitudes = points.map((point) => point.lat);
  const longitudes = points.map((point) => point.lon);
  const names = points.map((point) => point.name);
  const pointNames = names.every((one) => one !== undefined) ? (names as string[]) : undefined;
  return { type: "points", name, latitudes, longitudes, pointNames, method };
}

interface NamedPoint {
  readonly lat: number;
  readonly lon: number;
  readonly name?: string | undefined;
}

function pointOf(cells: readonly string[], text: string): NamedPoint {
  const [lat, lon] = cells.map((cell) => (cell.trim() === "" ? Number.NaN : Number(cell)));
  if (cells.length === 2 && Math.abs(lat!) <= 90 && Number.isFinite(lon)) return { lat: lat!, lon: lon! };
  throw new UsageError(`"${text.trim()}" is no point`, {
    hint: "write lat,lon;lat,lon in degrees, or name a CSV file with the columns name, lat, lon",
  });
}

async function readTable(path: string): Promise<NamedPoint[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    throw toStorageError(error, path);
  }
  const lines = text
    .replace(/^\uFEFF/, "")
    .split(/\r?\n/)
    .map((line, i) => ({
      number: i + 1,
      cells: line.split(/[,;\t]/).map((cell) => cell.trim().replace(/^"(.*)"$/, "$1")),
    }))
    .filter(({ cells }) => cells.some((cell) => cell !== "") && !cells[0]!.startsWith("#"));
  const header = lines[0]?.cells.map((cell) => cell.toLowerCase()) ?? [];
  const column = (...names: string[]) => header.findIndex((cell) => names.includes(cell));
  let [lat, lon, name] = [
    column("lat", "latitude"),
    column("lon", "lng", "longitude"),
    column("name", "station", "id", "point"),
  ];
  if (lat >= 0 && lon >= 0) lines.shift();
  else [name, lat, lon] = header.length > 2 ? [0, 1, 2] : [-1, 0, 1];
  const points = lines.map(({ number, cells }): NamedPoint => {
    const at = [cells[lat], cells[lon]].map((cell) => (cell ? Number(cell) : Number.NaN)) as [number, number];
    if (Math.abs(at[0]) <= 90 && Number.isFinite(at[1])) {
      return { lat: at[0], lon: at[1], ...(name >= 0 ? { name: cells[name]! } : {}) };
    }
    throw new FormatError(`"${cells.join(",")}" is no point`, {
      where: `${path}:${number}`,
      hint: "a table of points has the columns name, lat and lon, in degrees",
    });
  });
  if (points.length > 0) return points;
  throw new FormatError("there are no points", { where: path });
}
