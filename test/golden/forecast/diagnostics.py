"""Writes diagnostics.json: diagnostics of random columns by NumPy in float64, one column at a time.

    python3 test/golden/forecast/diagnostics.py

Surface pressure: a search for the two levels, a straight line in ln p through np.polyfit, and Earth2Studio's second-order term. Column of water
vapour: np.trapz over a column that is cut at the ground. Relative humidity: IFS documentation CY48R1, part IV, eq. 7.98 on.
"""
import json
from pathlib import Path

import numpy as np

rng = np.random.default_rng(7)
levels = np.array([1000, 925, 850, 700, 500, 300])
cases = []
for _ in range(24):
    scale = rng.uniform(7000, 8500)
    z = 9.8067 * scale * np.log(rng.uniform(980, 1040) / levels)
    t = rng.uniform(265, 305) - 0.0065 * z / 9.8067 + rng.normal(0, 1, levels.size)
    q = rng.uniform(0.002, 0.02) * (levels / 1000) ** 3
    surface = rng.uniform(-500, 40000)

    i = int(np.clip(np.searchsorted(z, surface) - 1, 0, levels.size - 2))
    slope, offset = np.polyfit(z[i : i + 2], np.log(100 * levels[i : i + 2]), 1)
    second = -6.5e-3 / (2 * 9.8067 * 287.053) / np.mean(t[i : i + 2]) ** 2
    second *= (surface - z[i]) * (surface - z[i + 1])
    line = slope * surface + offset
    sp = float(np.exp(line + 3.4257e-5 + 1.5224 * second))

    above = 100.0 * levels <= sp
    p_column = np.concatenate([[sp], 100.0 * levels[above]])
    q_column = np.concatenate([q[above][:1], q[above]])
    tcwv = float(-np.trapz(q_column, p_column) / 9.8067)

    e = 100 * levels * q / 0.621981 / (1 + q * (1 / 0.621981 - 1))
    water = 611.21 * np.exp(17.502 * (t - 273.16) / (t - 32.19))
    ice = 611.21 * np.exp(22.587 * (t - 273.16) / (t + 0.7))
    alpha = np.clip((t - 250.16) / 23, 0, 1) ** 2
    r = np.clip(100 * e / (alpha * water + (1 - alpha) * ice), 0, 100)
    vpd = 6.11 * np.exp(2.26e6 / 461 * (1 / 273.16 - 1 / t)) * (100 - r) / 100
    cases.append(
        {"z": z, "t": t, "q": q, "surface": surface, "sp": sp, "line": float(np.exp(line)), "tcwv": tcwv, "r": r, "vpd": vpd}
    )
cases = [{k: np.round(v, 9).tolist() if np.ndim(v) else v for k, v in case.items()} for case in cases]
Path(__file__).with_suffix(".json").write_text(json.dumps({"levels": levels.tolist(), "cases": cases}, indent=1) + "\n")
