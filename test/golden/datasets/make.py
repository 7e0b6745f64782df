"""Golden numbers of the datasets room, computed with NumPy and Python's calendar: statistics.json and forcings.json.

Run with a Python that has NumPy:  python3 make.py
Inputs are integer hashes, so that the TypeScript tests make bit-identical ones without files.
"""

import datetime as dt
import json
import math
import pathlib

import numpy as np

here = pathlib.Path(__file__).parent

# ---- statistics -------------------------------------------------------------------------------------------------------
T, NY, NX = 12, 6, 5
# name, offset, scale: the second one has a variance that float32 sums of squares lose
FEATURES = [("t", 280.0, 20.0), ("z", 50000.0, 0.5), ("p", 101325.0, 300.0)]
MISSING_TIMES = [7]  # hour 7 is not there: no difference across it


def field(feature, time):
    k = np.arange(NY * NX, dtype=np.uint64) + np.uint64(NY * NX) * np.uint64(time * len(FEATURES) + feature)
    hashed = (k * np.uint64(2654435761)) % np.uint64(2**32)
    _, offset, scale = FEATURES[feature]
    values = (hashed.astype(np.float64) / 2**32 * scale + offset).astype(np.float32)
    if feature == 2:
        values[(hashed % np.uint64(11)) == 0] = np.nan
    return values


def summary(x):
    return {"mean": float(np.nanmean(x)), "std": float(np.nanstd(x)), "min": float(np.nanmin(x)), "max": float(np.nanmax(x))}


times = [t for t in range(T) if t not in MISSING_TIMES]
stats, diff, climatology = {}, {}, {}
for f, (name, _, _) in enumerate(FEATURES):
    series = {t: field(f, t).astype(np.float64) for t in times}
    everything = np.stack([series[t] for t in times])
    stats[name] = summary(everything)
    normal = {t: (x - stats[name]["mean"]) / stats[name]["std"] for t, x in series.items()}
    diff[name] = summary(np.stack([normal[t + 1] - normal[t] for t in times if t + 1 in series]))
    climatology[name] = np.nanmean(everything, axis=0).tolist()
(here / "statistics.json").write_text(
    json.dumps({"numpy": np.__version__, "stats": stats, "diffStats": diff, "climatology": climatology}, indent=1)
)

# ---- forcings ---------------------------------------------------------------------------------------------------------
MOMENTS = [
    "2023-02-13T15:26", "2024-02-29T06:00", "2024-12-31T23:00", "2023-12-31T23:00", "2025-01-01T00:00",
    "1900-02-28T12:00", "2000-12-31T12:30", "2100-07-01T18:45", "2019-06-21T12:00",
]
LAT, LON = [89.0, 43.0, 0.0, -61.5], [-89.0, 0.0, 179.75]


def date_features(when):
    start = dt.datetime(when.year, 1, 1)
    year = (dt.datetime(when.year + 1, 1, 1) - start).total_seconds()
    a = (when.hour + when.minute / 60) / 12 * math.pi
    q = 2 * math.pi * (when - start).total_seconds() / year
    return [(v + 1) / 2 for v in (math.sin(a), math.cos(a), math.sin(q), math.cos(q))]


def insolation(when):
    lat, lon = np.meshgrid(np.radians(LAT), np.asarray(LON), indexing="ij")
    day = when.timetuple().tm_yday
    declination = np.radians(23.45) * np.sin(2 * np.pi * (284 + day) / 365)
    omega = np.radians(15 * (when.hour + when.minute / 60 + lon / 15 - 12))
    cosine = np.sin(lat) * np.sin(declination) + np.cos(lat) * np.cos(declination) * np.cos(omega)
    return np.maximum(0, 1366 * cosine)


cases = []
for text in MOMENTS:
    when = dt.datetime.fromisoformat(text)
    cases.append({
        "time": int((when - dt.datetime(1970, 1, 1)).total_seconds()), "text": text, "day": when.timetuple().tm_yday,
        "date": date_features(when), "insolation": insolation(when).ravel().tolist(),
    })
(here / "forcings.json").write_text(json.dumps({"lat": LAT, "lon": LON, "cases": cases}, indent=1))
