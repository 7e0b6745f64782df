"""Writes solar.json: cosines of the solar zenith angle by other formulas than Foehn's.

    python3 test/golden/variables/solar.py

The approximate solar coordinates of the US Naval Observatory (Astronomical Almanac, page C5; right to 0.01 degree from 1950 to 2050) and
its mean sidereal time: gmst = 18.697374558 + 24.06570982441908 D hours.
"""
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

rng = np.random.default_rng(3)
cases = []
for _ in range(60):
    time = datetime(1979, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=int(rng.uniform(0, 65 * 365.25 * 86400)))
    lat, lon = float(rng.uniform(-90, 90)), float(rng.uniform(-180, 360))
    days = (time - datetime(2000, 1, 1, 12, tzinfo=timezone.utc)) / timedelta(days=1)
    g = np.radians(357.529 + 0.98560028 * days)
    longitude = np.radians(280.459 + 0.98564736 * days + 1.915 * np.sin(g) + 0.020 * np.sin(2 * g))
    tilt = np.radians(23.439 - 0.00000036 * days)
    ascension = np.arctan2(np.cos(tilt) * np.sin(longitude), np.cos(longitude))
    declination = np.arcsin(np.sin(tilt) * np.sin(longitude))
    hours = (18.697374558 + 24.06570982441908 * days) % 24
    hour_angle = np.radians(hours * 15 + lon) - ascension
    phi = np.radians(lat)
    cosine = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(hour_angle)
    cases.append([int(time.timestamp()), lat, lon, float(cosine)])
Path(__file__).with_suffix(".json").write_text(json.dumps(cases) + "\n")
