// Which texts name an operational archive or a GRIB file at an address, told by their form alone: what reads them is loaded when needed.

/** True for `gfs:…`, `ecmwf:…`, `cds:…`. */
export function isOperational(spec: string): boolean {
  return /^(gfs|ecmwf|cds)(:(?!\/\/)|$)/.test(spec);
}

/** True for an address whose name is that of a GRIB file: `https://host/a.grib2`, `s3://bucket/gfs.t00z.pgrb2.0p25.f006`. */
export function isRemoteGrib(spec: string): boolean {
  const match = /^(?:https?|s3|gs):\/\/[^?#]*\/([^/?#]+)(?:[?#].*)?$/i.exec(spec);
  return match !== null && /\.(gri?b2?|gb2)$|\.(pgrb2|grib2|grb2)\b/i.test(match[1]!);
}
