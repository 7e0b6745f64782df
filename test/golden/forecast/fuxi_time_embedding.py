"""Writes fuxi_time_embedding.json: FuXi's embedding of a time, by NumPy and Python's own calendar.

    python3 test/golden/forecast/fuxi_time_embedding.py

For the step before, now and the step after (6 h): sine, then cosine of (day of the year / 366, hour / 24), as fuxi.py of github.com/tpys/FuXi
computes it: without a factor of 2 pi.
"""
import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

cases = {}
for text in ("2023-10-12T06:00:00", "2020-12-31T18:00:00", "2021-01-01T00:00:00", "2024-02-29T12:00:00"):
    now = datetime.fromisoformat(text).replace(tzinfo=timezone.utc)
    angles = []
    for at in (now - timedelta(hours=6), now, now + timedelta(hours=6)):
        day = at.timetuple().tm_yday / 366
        angles.append(np.float64([day, at.hour / 24]))
    angles = np.stack(angles)
    cases[text + "Z"] = np.concatenate([np.sin(angles), np.cos(angles)], axis=-1).reshape(-1).tolist()
Path(__file__).with_suffix(".json").write_text(json.dumps(cases, indent=1) + "\n")
