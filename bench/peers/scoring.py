"""RMSE, MAE, bias and ACC of one lead with NumPy and xarray: the peer of bench/scoring.mjs, which calls it.

    scoring.py fields.f32 VARIABLES DIFFERENT ROUNDS

Prints one JSON list: for each way the processor times in milliseconds and the scores.
"""

import json
import sys
import time

import numpy as np
import xarray as xr

path, variables, different, rounds = sys.argv[1], *map(int, sys.argv[2:])
ny, nx = 721, 1440
fields = np.fromfile(path, np.float32).reshape(3, different, ny, nx)[:, np.arange(variables) % different]
forecast, truth, climatology = (np.ascontiguousarray(f) for f in fields)
lat = np.linspace(90, -90, ny)
cosine = np.cos(np.deg2rad(lat))


def plain():
    w = (cosine / cosine.mean()).astype(np.float32)[:, None]
    mean = lambda a: (w * a).mean((1, 2), dtype=np.float64)
    e, fa, oa = forecast - truth, forecast - climatology, truth - climatology
    return np.sqrt(mean(e * e)), mean(np.abs(e)), mean(e), mean(fa * oa) / np.sqrt(mean(fa * fa) * mean(oa * oa))


def weighted():
    f, o, c = (xr.DataArray(a, dims=("variable", "lat", "lon"), coords={"lat": lat}) for a in (forecast, truth, climatology))
    w = np.cos(np.deg2rad(f.lat))
    mean = lambda a: a.weighted(w).mean(("lat", "lon"))
    e, fa, oa = f - o, f - c, o - c
    return tuple(r.values for r in (np.sqrt(mean(e**2)), mean(abs(e)), mean(e), mean(fa * oa) / np.sqrt(mean(fa**2) * mean(oa**2))))


def einsum():
    w = cosine / cosine.sum() / nx
    product = lambda a, b: np.einsum("vyx,vyx->vy", a, b).astype(np.float64) @ w
    total = lambda a: a.sum(2, dtype=np.float64) @ w
    e, fa, oa = forecast - truth, forecast - climatology, truth - climatology
    return np.sqrt(product(e, e)), total(np.abs(e)), total(e), product(fa, oa) / np.sqrt(product(fa, fa) * product(oa, oa))


results = []
for name, way in (("NumPy", plain), ("xarray", weighted), ("NumPy, einsum", einsum)):
    times = []
    for _ in range(rounds):
        began = time.process_time()
        scores = way()
        times.append((time.process_time() - began) * 1000)
    results.append({"name": name, "milliseconds": times, **dict(zip(("rmse", "mae", "bias", "acc"), (s.astype(float).tolist() for s in scores)))})
print(json.dumps(results))
