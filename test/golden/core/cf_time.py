#!/usr/bin/python3
"""Decodes CF time values with cftime, for core/cf-time.test.ts. Run: /usr/bin/python3 test/golden/core/cf_time.py"""

import datetime
import json
import pathlib

import cftime

AXES = [
    ("hours since 1900-01-01 00:00:00.0", "gregorian", [0, 1043135, 1043135.5, -24]),
    ("hours since 1900-01-01 00:00:00.0", "standard", [0, 24 * 59, 24 * 60]),
    ("days since 1-1-1 00:00:00", "standard", [0, 577735, 577736, 737119.25]),
    ("hours since 1-1-1 00:00:0.0", "gregorian", [17690856.0]),
    ("days since 0001-01-01", "proleptic_gregorian", [0, 577735, 737119.25]),
    ("days since 1850-1-1", "noleap", [0, 58, 59, 60000, 61685.5, -1]),
    ("days since 1850-01-01 12:00", "365_day", [423, 424, 0.25]),
    ("days since 2000-02-28", "all_leap", [0, 1, 2, 366 * 4]),
    ("days since 1949-12-01", "360_day", [0, 25199, 25200, 7.5, 89]),
    ("months since 1949-12-01", "360_day", [0, 1, 12]),
    ("seconds since 1970-01-01T00:00:00Z", "standard", [0, 1551420000]),
    ("minutes since 2019-03-01 00:00:00 +02:00", "standard", [0, 90]),
    ("hours since 2019-03-01 06:30:15", "standard", [1 / 3, 2]),
    ("milliseconds since 2019-03-01", "standard", [1500000]),
    ("hrs since 2019-03-01T06:00:00Z", "standard", [5]),
    ("days since 1582-10-04", "standard", [0, 1, 2]),
    ("days since 1400-02-29", "julian", [0, 1, 300000]),
]

cases = []
for units, cal, values in AXES:
    for value in values:
        date = cftime.num2date(value, units, cal)
        mixed = cal in ("standard", "gregorian", "julian")
        if mixed:
            # the instant: days of the mixed or Julian calendar since 1970 in that calendar's own count
            origin = cftime.datetime(1970, 1, 1, calendar="proleptic_gregorian")
            there = date.change_calendar("proleptic_gregorian")
            delta = there - origin
            seconds = delta.days * 86400 + delta.seconds + delta.microseconds / 1e6
        else:
            # the same date in the Gregorian calendar; None where that has no such date
            try:
                there = datetime.datetime(date.year, date.month, date.day, date.hour, date.minute, date.second)
                seconds = (there - datetime.datetime(1970, 1, 1)).total_seconds() + date.microsecond / 1e6
            except ValueError:
                seconds = None
        cases.append({"units": units, "calendar": cal, "value": value, "date": str(date), "seconds": seconds if seconds is None else round(seconds)})

out = {"made_by": f"cftime {cftime.__version__}", "cases": cases}
path = pathlib.Path(__file__).with_name("cf_time.json")
path.write_text(json.dumps(out, indent=1) + "\n")
print(len(cases), "cases")
