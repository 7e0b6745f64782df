#!/usr/bin/python3
"""Recomputes tercile edges, probabilities and RPS with xarray and NumPy and compares them with what foehn s2s wrote.

Usage: check_s2s.py forecast.nc data.nc edges.nc probabilities.nc scores.csv edge-dates.json
Prints one JSON line: the largest differences. Only files are read; weeks come from Python's own calendar.
"""
import csv
import datetime
import json
import sys

import numpy as np
import xarray as xr

forecast, data, edges, probs = (xr.open_dataset(p) for p in sys.argv[1:5])
rows = list(csv.DictReader(open(sys.argv[5])))
edge_dates = [np.datetime64(t) for t in json.load(open(sys.argv[6]))]
day = np.timedelta64(1, "D")
worst = {"edges": 0.0, "probabilities": 0.0, "rps": 0.0, "rows": len(rows)}


def week(t):
    return datetime.date.fromisoformat(str(t)[:10]).isocalendar()[1]


def observed(name, t, lead):
    begin = t + int(lead) * day
    return data[name].sel(time=slice(begin, begin + 14 * day - np.timedelta64(1, "s"))).mean("time").values


def note(key, got, expected):
    worst[key] = max(worst[key], float(np.abs(np.asarray(got) - expected).max()))


lat = probs.latitude.values
w = np.cos(np.deg2rad(lat))[:, None] * np.ones(probs.longitude.size)
masks = {"Global": np.ones(w.shape, bool), "Northern": (lat > 0)[:, None] & (w > -1), "Southern": (lat < 0)[:, None] & (w > -1)}
name = "t2m"
for lead in probs.lead_time.values:
    limits = {}
    for wk in edges.week.values:
        samples = np.stack([observed(name, t, lead) for t in edge_dates if week(t) == wk])
        limits[int(wk)] = np.quantile(samples.astype(np.float64), [1 / 3, 2 / 3], axis=0)
        note("edges", edges[name].sel(week=wk, lead_time=lead).values, limits[int(wk)])
    for i, t in enumerate(probs.forecast_time.values):
        written = edges[name].sel(week=week(t), lead_time=lead).values
        hours = (forecast.lead_time.values / np.timedelta64(1, "h")) / 24
        inside = np.flatnonzero((hours >= lead) & (hours < lead + 14))
        x = forecast[name].values[i][:, inside].mean(1)
        below, above = (x < written[0]).mean(0), (x >= written[1]).mean(0)
        p = np.stack([below, 1 - below - above, above])
        note("probabilities", probs[name].sel(forecast_time=t, lead_time=lead).values, p)
        y = observed(name, t, lead)
        o = np.stack([y < written[0], (y >= written[0]) & (y < written[1]), y >= written[1]]).astype(float)
        for source, f in (("model", p), ("climatology", np.full(p.shape, 1 / 3))):
            score = ((np.cumsum(f, 0) - np.cumsum(o, 0)) ** 2).sum(0)
            for region, mask in masks.items():
                expected = (score * w * mask).sum() / (w * mask).sum()
                row = [
                    r for r in rows
                    if r["source"] == source and r["region"] == region and float(r["lead_time"]) == lead + 7
                    and np.datetime64(r["forecast_time"]) == t and int(r["week"]) == week(t)
                ]
                note("rps", float(row[0][name]), expected)
print(json.dumps(worst))
