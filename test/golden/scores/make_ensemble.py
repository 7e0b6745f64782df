#!/usr/bin/python3
"""Makes ensemble.json: scores of three cases of an ensemble of four, from their definitions with NumPy (float64, no sorting tricks).

Run: /usr/bin/python3 make_ensemble.py > ensemble.json   (made with NumPy 1.24)
"""
import json

import numpy as np

rng = np.random.default_rng(5)
lat = np.array([72.0, 40.0, 12.5, -10.0, -45.0])
lon = np.arange(4) * 90.0
shape = (lat.size, lon.size)
m = 4
thresholds = [279.0, 281.5]
weights = np.cos(np.deg2rad(lat))[:, None] * np.ones(shape)
regions = {"global": np.ones(shape, bool), "northern_extratropics": (lat >= 20)[:, None] & np.ones(shape, bool)}

cases = []
for number in range(3):
    truth = rng.normal(280, 2, shape).astype(np.float32)
    members = (truth + rng.normal(0.4, 1.5, shape) + rng.normal(0, 1, (m, *shape))).astype(np.float32)
    if number == 1:
        truth[0, 1:3] = np.nan
        members[2, 3, 0] = np.nan
    cases.append((members, truth))

scores = {}
for region, mask in regions.items():
    s = {name: [] for name in ("a", "g", "se", "sc", "var", "rank", "brier", "ea", "eg")}
    missing = 0
    for members, truth in cases:
        x, y = members.astype(float), truth.astype(float)
        ok = mask & np.isfinite(y) & np.isfinite(x).all(0)
        missing += int((mask & ~ok).sum())
        w = weights[ok] / weights[ok].sum()
        x, y = x[:, ok], y[ok]
        s["a"].append((w * np.abs(x - y).mean(0)).sum())
        s["g"].append((w * np.abs(x[:, None] - x[None]).sum((0, 1))).sum() / 2)
        s["se"].append((w * (x.mean(0) - y) ** 2).sum())
        s["sc"].append((w * (x[0] - y) ** 2).sum())
        s["var"].append((w * x.var(0, ddof=1)).sum())
        rank = (x < y).sum(0)
        s["rank"].append([w[rank == r].sum() for r in range(m + 1)])
        s["brier"].append([(w * ((x >= t).mean(0) - (y >= t)) ** 2).sum() for t in thresholds])
        norm = lambda v: np.sqrt((w * v**2).sum())
        s["ea"].append(np.mean([norm(v - y) for v in x]))
        s["eg"].append(sum(norm(u - v) for u in x for v in x) / 2)
    mean = {name: np.mean(values, 0) for name, values in s.items()}
    rmse, spread = np.sqrt(mean["se"]), np.sqrt(mean["var"])
    scores[region] = {
        "crps": mean["a"] - mean["g"] / m**2,
        "crpsFair": mean["a"] - mean["g"] / (m * (m - 1)),
        "rmse": rmse,
        "rmseControl": np.sqrt(mean["sc"]),
        "spread": spread,
        "spreadSkill": spread / rmse,
        "spreadSkillCorrected": spread / rmse * np.sqrt((m + 1) / m),
        "rankHistogram": mean["rank"].tolist(),
        "brier": mean["brier"].tolist(),
        "energy": mean["ea"] - mean["eg"] / m**2,
        "energyFair": mean["ea"] - mean["eg"] / (m * (m - 1)),
        "cases": 3,
        "missing": missing,
    }

plain = lambda field: [None if np.isnan(v) else float(v) for v in field.ravel()]
print(json.dumps({
    "latitudes": lat.tolist(), "longitudes": lon.tolist(), "thresholds": thresholds,
    "cases": [{"members": [plain(x) for x in members], "truth": plain(truth)} for members, truth in cases],
    "scores": scores,
}))
