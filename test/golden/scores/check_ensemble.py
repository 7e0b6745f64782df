#!/usr/bin/python3
"""Scores an ensemble forecast (NetCDF) against truth (NetCDF) with xarray and NumPy and compares with Foehn's scores.json.

Usage: check_ensemble.py forecast.nc truth.nc scores.json [days of averaging]
Prints one JSON line: the largest difference of each metric. CRPS by the double sum over members; nothing of Foehn's code is used.
"""
import json
import sys

import numpy as np
import xarray as xr

forecast, truth = xr.open_dataset(sys.argv[1]), xr.open_dataset(sys.argv[2])
table = json.load(open(sys.argv[3]))
days = float(sys.argv[4]) if len(sys.argv) > 4 else 0
if "forecast_reference_time" not in forecast.dims:
    forecast = forecast.expand_dims("forecast_reference_time")
    forecast["time"] = forecast.time.expand_dims("forecast_reference_time")
leads = (forecast.time.values[0] - forecast.time.values[0][0]) / np.timedelta64(1, "s")
step = leads[1] - leads[0]
if days:
    length = days * 86400
    groups = [np.flatnonzero((leads >= k * length) & (leads < (k + 1) * length)) for k in range(int((leads[-1] + step) // length))]
else:
    groups = [np.array([i]) for i in range(leads.size)]
w = np.cos(np.deg2rad(forecast.lat.values))[:, None] * np.ones(forecast.lon.size)
w = w / w.sum()
worst = {}


def compare(metric, got, expected):
    got = np.nan if got is None else got
    difference = 0.0 if np.isnan(got) and np.isnan(expected) else abs(got - expected) / (1 + abs(expected))
    worst[metric] = max(worst.get(metric, 0.0), float(difference))


region = table["regions"][0]
for name in table["variables"]:
    scores = table["scores"][region][name]
    x = forecast[name].values.astype(np.float64)
    for place, group in enumerate(groups):
        crps, fair, se, sc, var = [], [], [], [], []
        for date in range(x.shape[0]):
            members = x[date][:, group].mean(1)
            m = members.shape[0]
            y = np.mean([truth[name].sel(time=forecast.time.values[date, i]).values for i in group], 0).astype(np.float64)
            skill = (w * np.abs(members - y).mean(0)).sum()
            pairs = (w * np.abs(members[:, None] - members[None]).sum((0, 1))).sum() / 2
            crps.append(skill - pairs / m**2)
            fair.append(skill - pairs / (m * (m - 1)))
            se.append((w * (members.mean(0) - y) ** 2).sum())
            sc.append((w * (members[0] - y) ** 2).sum())
            var.append((w * members.var(0, ddof=1)).sum())
        compare("crps", scores["crps"][place], np.mean(crps))
        compare("crps_fair", scores["crps_fair"][place], np.mean(fair))
        compare("rmse", scores["rmse"][place], np.sqrt(np.mean(se)))
        compare("rmse_control", scores["rmse_control"][place], np.sqrt(np.mean(sc)))
        compare("spread", scores["spread"][place], np.sqrt(np.mean(var)))
    compare("leads", float(len(scores["crps"])), float(len(groups)))
print(json.dumps(worst))
