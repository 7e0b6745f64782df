#!/usr/bin/python3
"""Makes spherical.json: a field on uneven points from random coefficients of real spherical harmonics, by SciPy's complex ones.

Run: /usr/bin/python3 make_spherical.py > spherical.json   (made with SciPy 1.10)
"""
import json

import numpy as np
from scipy.special import sph_harm

rng = np.random.default_rng(11)
degrees = 7
latitudes = np.array([90.0, 61.5, 12.25, -0.5, -77.0])
longitudes = np.array([-10.0, 0.0, 33.3, 190.0])
theta = np.deg2rad(longitudes)[None, :] * np.ones((5, 1))
phi = np.deg2rad(90 - latitudes)[:, None] * np.ones((1, 4))
field = np.zeros((5, 4))
coefficients = []
for l in range(degrees):
    for m in range(l + 1):
        a, b = rng.normal(size=2).astype(np.float32)
        coefficients += [float(a), float(b)]
        # SciPy's carry the Condon-Shortley phase, which Foehn's do not.
        y = (-1) ** m * sph_harm(m, l, theta, phi)
        field += a * y.real if m == 0 else np.sqrt(2) * (a * y.real + b * y.imag)
print(json.dumps({
    "degrees": degrees,
    "latitudes": latitudes.tolist(),
    "longitudes": longitudes.tolist(),
    "coefficients": coefficients,
    "field": [round(v, 7) for v in field.ravel().tolist()],
}))
