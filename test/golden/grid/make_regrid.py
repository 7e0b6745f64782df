"""Makes regrid.json: Gaussian latitudes by NumPy and interpolated fields by SciPy and xarray, for grid/regrid/regrid.test.ts.

Run: python3 make_regrid.py > regrid.json
"""

import json

import numpy as np
import xarray as xr
from scipy.interpolate import RegularGridInterpolator
from scipy.spatial import cKDTree

rng = np.random.default_rng(7)


def gaussian(n):
    """Degrees north of the 2n rows, through the arc cosine of the roots: exact near the poles only for small n."""
    roots = np.polynomial.legendre.leggauss(2 * n)[0]
    return np.degrees(np.arcsin(roots))[::-1]


def smooth(lat, lon):
    """A field without a seam at Greenwich."""
    lat, lon = np.radians(lat), np.radians(lon)
    return 280 + 20 * np.sin(2 * lat) + 7 * np.cos(3 * lon) * np.cos(lat) + 3 * np.sin(lon - 0.3) * np.cos(lat) ** 2


out = {"gaussian": {str(n): gaussian(n).tolist() for n in (1, 2, 8, 32)}}
out["gaussian_sine"] = {"320": np.polynomial.legendre.leggauss(640)[0][::-1].tolist()}

# Global, periodic: xarray on a field padded by hand, target with a shifted and finer longitude.
lat, lon = np.linspace(90, -90, 19), np.arange(0, 360, 10.0)
field = smooth(lat[:, None], lon[None, :]).astype(np.float32)
da = xr.DataArray(field.astype(float), coords={"lat": lat, "lon": lon}, dims=("lat", "lon"))
padded = xr.concat([da.isel(lon=[-1]).assign_coords(lon=[-10.0]), da, da.isel(lon=[0]).assign_coords(lon=[360.0])], "lon")
to_lat, to_lon = np.linspace(90, -90, 13), np.arange(-7.5, 352.5, 15.0)
out["periodic"] = {
    "lat": lat.tolist(), "lon": lon.tolist(), "field": field.ravel().tolist(),
    "to_lat": to_lat.tolist(), "to_lon": to_lon.tolist(),
    "bilinear": padded.interp(lat=to_lat, lon=to_lon).values.ravel().tolist(),
}

# A region with uneven axes by SciPy.
lat, lon = np.array([60.0, 58.5, 58, 55, 50]), np.array([-10.0, -8, -3, 0, 1, 6])
field = rng.normal(280, 5, (5, 6)).astype(np.float32)
to_lat, to_lon = np.linspace(60, 50, 8), np.linspace(-10, 6, 9)
grid = RegularGridInterpolator((lat[::-1], lon), field[::-1].astype(float))
points = np.stack(np.meshgrid(to_lat, to_lon, indexing="ij"), -1)
out["region"] = {
    "lat": lat.tolist(), "lon": lon.tolist(), "field": field.ravel().tolist(),
    "to_lat": to_lat.tolist(), "to_lon": to_lon.tolist(), "bilinear": grid(points).ravel().tolist(),
}

# Nearest points on the sphere by SciPy's tree.
def unit(lat, lon):
    lat, lon = np.radians(lat), np.radians(lon)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)

places = np.degrees(np.arcsin(rng.uniform(-1, 1, 300))), rng.uniform(-180, 180, 300)
asked = np.degrees(np.arcsin(rng.uniform(-1, 1, 200))), rng.uniform(0, 360, 200)
out["nearest"] = {
    "lat": places[0].tolist(), "lon": places[1].tolist(), "to_lat": asked[0].tolist(), "to_lon": asked[1].tolist(),
    "index": cKDTree(unit(*places)).query(unit(*asked))[1].tolist(),
}
print(json.dumps(out))
