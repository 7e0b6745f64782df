#!/usr/bin/python3
"""Makes sums.json: scores of three cases with missing truth, computed with NumPy from their definitions (float64).

Run: /usr/bin/python3 make_sums.py > sums.json   (made with NumPy 1.24)
"""
import json

import numpy as np

rng = np.random.default_rng(7)
lat = np.array([72.0, 60.0, 31.5, 0.0, -45.0])
lon = np.arange(4) * 2.5
shape = (lat.size, lon.size)
climatology = rng.normal(280, 5, shape).astype(np.float32)
cases = []
for number in range(3):
    truth = (climatology + rng.normal(1, 3, shape)).astype(np.float32)
    forecast = (truth + rng.normal(0.3, 1, shape)).astype(np.float32)
    if number:
        truth[number, number:] = np.nan
    cases.append((forecast, truth))

weights = np.cos(np.deg2rad(lat))[:, None] * np.ones(shape)


def mean(field, valid):
    return float((field * weights)[valid].sum() / weights[valid].sum())


sums = {name: [] for name in ("squared", "absolute", "difference", "ff", "oo", "fo", "cff", "coo", "cfo")}
missing = 0
for forecast, truth in cases:
    f, o, c = (a.astype(np.float64) for a in (forecast, truth, climatology))
    valid = ~np.isnan(o)
    missing += int((~valid).sum())
    sums["squared"].append(mean((f - o) ** 2, valid))
    sums["absolute"].append(mean(abs(f - o), valid))
    sums["difference"].append(mean(f - o, valid))
    fa, oa = f - c, o - c
    sums["ff"].append(mean(fa * fa, valid))
    sums["oo"].append(mean(oa * oa, valid))
    sums["fo"].append(mean(fa * oa, valid))
    fc, oc = fa - mean(fa, valid), oa - mean(oa, valid)
    sums["cff"].append(mean(fc * fc, valid))
    sums["coo"].append(mean(oc * oc, valid))
    sums["cfo"].append(mean(fc * oc, valid))
m = {name: float(np.mean(values)) for name, values in sums.items()}


def plain(field):
    return [[None if np.isnan(v) else float(v) for v in row] for row in field]


print(
    json.dumps(
        {
            "latitudes": lat.tolist(),
            "longitudes": lon.tolist(),
            "climatology": plain(climatology),
            "cases": [{"forecast": plain(f), "truth": plain(o)} for f, o in cases],
            "expected": {
                "rmse": m["squared"] ** 0.5,
                "mae": m["absolute"],
                "bias": m["difference"],
                "acc": m["fo"] / (m["ff"] * m["oo"]) ** 0.5,
                "acc_centred": m["cfo"] / (m["cff"] * m["coo"]) ** 0.5,
                "missing": missing,
            },
        },
        indent=1,
    )
)
