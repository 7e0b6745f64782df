#!/usr/bin/python3
"""Computes scores with xarray and NumPy from a written forecast and the truth, and compares them with Foehn's scores.nc.

Usage: check_scores.py forecast.nc truth.nc climatology.json scores.nc
Prints one JSON line: the largest difference of each metric, relative to 1 + |value|. Independent of Foehn's code: it only reads files.
"""
import json
import sys

import numpy as np
import xarray as xr

forecast, truth = xr.open_dataset(sys.argv[1]), xr.open_dataset(sys.argv[2])
climatology = json.load(open(sys.argv[3]))
scores = xr.open_dataset(sys.argv[4])

weights = np.cos(np.deg2rad(forecast.lat.values))[:, None] * np.ones(forecast.lon.size)
hours = forecast.lead_time.values / np.timedelta64(1, "h")


def area_mean(field, valid):
    return (field * weights)[valid].sum() / weights[valid].sum()


def score(pairs, mean):
    sums = {name: [] for name in ("se", "ae", "e", "ff", "oo", "fo", "cff", "coo", "cfo")}
    missing = 0
    for f, o in pairs:
        valid = ~np.isnan(o)
        missing += int((~valid).sum())
        if not valid.any():
            continue
        fa, oa = f - mean, o - mean
        fc, oc = fa - area_mean(fa, valid), oa - area_mean(oa, valid)
        fields = dict(se=(f - o) ** 2, ae=abs(f - o), e=f - o, ff=fa * fa, oo=oa * oa, fo=fa * oa, cff=fc * fc, coo=oc * oc, cfo=fc * oc)
        for name, field in fields.items():
            sums[name].append(area_mean(field, valid))
    m = {name: np.mean(values) if values else np.nan for name, values in sums.items()}
    return dict(
        rmse=np.sqrt(m["se"]), mae=m["ae"], bias=m["e"], acc=m["fo"] / np.sqrt(m["ff"] * m["oo"]),
        acc_centred=m["cfo"] / np.sqrt(m["cff"] * m["coo"]), n_cases=len(sums["se"]), n_missing=missing,
    )


worst = {}
for name in [str(v) for v in scores.variable.values]:
    mean = np.asarray(climatology[name], dtype=np.float64).reshape(weights.shape)
    values = forecast[name].values.astype(np.float64)
    for place, lead in enumerate(scores.lead.values):
        at = int(np.flatnonzero(hours == lead)[0])
        pairs = {"model": [], "persistence": []}
        for date in range(forecast.sizes["forecast_reference_time"]):
            valid_time = forecast.time.values[date, at]
            observed = truth[name].sel(time=valid_time).values.astype(np.float64)
            pairs["model"].append((values[date, at], observed))
            pairs["persistence"].append((values[date, 0], observed))
        for model, cases in pairs.items():
            for metric, expected in score(cases, mean).items():
                got = float(scores[metric].sel(model=model, variable=name, lead=lead))
                difference = 0.0 if np.isnan(got) and np.isnan(expected) else abs(got - expected) / (1 + abs(expected))
                worst[metric] = max(worst.get(metric, 0.0), float(difference) if difference == difference else 1e9)
print(json.dumps(worst))
