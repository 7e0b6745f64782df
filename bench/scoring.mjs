// What scoring one lead costs: RMSE, MAE, bias and ACC of 73 variables on 721×1440 points, processor time, beside the same in NumPy and
// xarray in the same run. Wanted: at most half of theirs.
//
//   node bench/scoring.mjs [--rounds 3] [--variables 73]
//
// Both sides read the same fields from a file first (four different ones of each kind, repeated) and report the processor time of the scoring alone,
// all threads together; the scores must agree to a millionth. The peer does it three ways: NumPy as one writes it, xarray's `weighted`, and
// NumPy with einsum in place of temporary fields. Needs a build (`npm run build`), Python with NumPy and xarray (PYTHON names another), 3 GB.

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const { values: args } = parseArgs({
  options: { rounds: { type: "string", default: "3" }, variables: { type: "string", default: "73" } },
});
const root = fileURLToPath(new URL("..", import.meta.url));
const dist = (path) => import(pathToFileURL(join(root, "packages/foehn/dist", path)).href);
const { areaWeights } = await dist("grid/geometry.js");
const { namedGrid } = await dist("grid/json.js");
const { ScoreSums } = await dist("scores/sums.js");

const [rounds, variables, different] = [Number(args.rounds), Number(args.variables), 4];
const grid = namedGrid("721x1440");
const points = grid.shape[0] * grid.shape[1];
const folder = mkdtempSync(join(tmpdir(), "foehn-scoring-"));
try {
  // Forecasts, truths and climatologies, one after the other.
  const all = Float32Array.from({ length: 3 * different * points }, () => 280 + 10 * Math.random());
  const path = join(folder, "fields.f32");
  writeFileSync(path, new Uint8Array(all.buffer));
  const field = (kind, v) => {
    const start = (kind * different + (v % different)) * points;
    return all.subarray(start, start + points);
  };
  const weights = areaWeights(grid);
  const own = [];
  let scores = [];
  for (let round = 0; round <= rounds; round++) {
    const sums = new ScoreSums(variables, 1);
    const began = process.cpuUsage();
    for (let v = 0; v < variables; v++) {
      sums.add(v, 0, { forecast: field(0, v), truth: field(1, v), climatology: field(2, v) }, weights);
    }
    scores = Array.from({ length: variables }, (_, v) => sums.scores(v, 0));
    const { user, system } = process.cpuUsage(began);
    if (round > 0) own.push((user + system) / 1000);
  }
  console.log(`${variables} variables × ${grid.shape.join("×")} points, one lead, processor time, median of ${rounds}`);
  const mine = median(own);
  console.log(`foehn            ${mine.toFixed(0)} ms`);
  let peers;
  try {
    const peer = join(root, "bench/peers/scoring.py");
    const python = process.env.PYTHON ?? "/usr/bin/python3";
    peers = JSON.parse(
      execFileSync(python, [peer, path, String(variables), String(different), String(rounds)], { encoding: "utf8" }),
    );
  } catch (error) {
    console.log(`no peer: ${String(error.message).split("\n")[0]}`);
  }
  for (const { name, milliseconds, rmse, mae, bias, acc } of peers ?? []) {
    const time = median(milliseconds);
    for (const [v, score] of scores.entries()) {
      for (const [a, b] of [
        [score.rmse, rmse[v]],
        [score.mae, mae[v]],
        [score.bias, bias[v]],
        [score.acc, acc[v]],
      ]) {
        // NumPy sums in float32 unless told otherwise.
        if (!(Math.abs(a - b) < 1e-4)) throw new Error(`${name}: ${a} and ${b} differ for variable ${v}`);
      }
    }
    console.log(`${name.padEnd(16)} ${time.toFixed(0)} ms; foehn takes ${(mine / time).toFixed(2)} of it`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
