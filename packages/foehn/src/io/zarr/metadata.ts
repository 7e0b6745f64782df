// The JSON documents of a Zarr store: array and group metadata of format 3 (zarr-specs.readthedocs.io, core v3.0) and format 2,
// and the consolidated copies that let a reader open the whole group with one request.
// Not here: reading, chunk files and compression (write.ts, shard-files.ts, read.ts, codecs.ts).

import { type ArrayAttributes, type ArrayDataType, elementBytes } from "../array-writer.js";
import type { ZarrCodec } from "./codecs.js";

/** An array as it stands on disk. */
export interface ZarrArrayInfo {
  readonly name: string;
  readonly dimensions: readonly string[];
  readonly shape: readonly number[];
  readonly chunkShape: readonly number[];
  /** Several chunks share a file of this shape; format 3 only. */
  readonly shardShape?: readonly number[] | undefined;
  readonly dataType: ArrayDataType;
  readonly attributes: ArrayAttributes;
  readonly codec: ZarrCodec;
}

/** One file of a store: its key (path inside the store) and its JSON. */
export interface ZarrDocument {
  readonly key: string;
  readonly json: unknown;
}

const version2Types = { float32: "<f4", float64: "<f8", int32: "<i4", int64: "<i8" } as const;

const isFloat = (dataType: ArrayDataType): boolean => dataType.startsWith("float");

/** Path of a chunk inside the store. Both formats keep the chunks of an array in one folder. */
export function chunkKey(format: 2 | 3, name: string, index: readonly number[]): string {
  const place = index.length === 0 ? "0" : index.join(".");
  if (format === 2) return `${name}/${place}`;
  return index.length === 0 ? `${name}/c` : `${name}/c.${place}`;
}

/** Every metadata document of a store with these arrays, consolidated metadata included. */
export function storeDocuments(
  format: 2 | 3,
  attributes: ArrayAttributes,
  arrays: readonly ZarrArrayInfo[],
): ZarrDocument[] {
  return format === 3 ? documentsV3(attributes, arrays) : documentsV2(attributes, arrays);
}

function documentsV3(attributes: ArrayAttributes, arrays: readonly ZarrArrayInfo[]): ZarrDocument[] {
  const metadata = Object.fromEntries(arrays.map((array) => [array.name, arrayV3(array)]));
  const group = {
    zarr_format: 3,
    node_type: "group",
    attributes,
    consolidated_metadata: { kind: "inline", must_understand: false, metadata },
  };
  return [
    ...arrays.map((array) => ({ key: `${array.name}/zarr.json`, json: metadata[array.name] })),
    { key: "zarr.json", json: group },
  ];
}

function arrayV3(array: ZarrArrayInfo): unknown {
  const bytes = { name: "bytes", configuration: { endian: "little" } };
  const compressor = array.codec.metadataV3(elementBytes(array.dataType));
  const codecs = compressor === undefined ? [bytes] : [bytes, compressor];
  return {
    zarr_format: 3,
    node_type: "array",
    shape: array.shape,
    data_type: array.dataType,
    chunk_grid: { name: "regular", configuration: { chunk_shape: array.shardShape ?? array.chunkShape } },
    chunk_key_encoding: { name: "default", configuration: { separator: "." } },
    fill_value: isFloat(array.dataType) ? "NaN" : 0,
    codecs: array.shardShape ? [sharding(array.chunkShape, codecs)] : codecs,
    dimension_names: array.dimensions,
    attributes: array.attributes,
  };
}

/** Zarr's sharding codec, version 1.0: the chunk grid then has the shards, and the chunks are in here. */
function sharding(chunkShape: readonly number[], codecs: readonly unknown[]): unknown {
  const index_codecs = [{ name: "bytes", configuration: { endian: "little" } }, { name: "crc32c" }];
  return {
    name: "sharding_indexed",
    configuration: { chunk_shape: chunkShape, codecs, index_codecs, index_location: "end" },
  };
}

function documentsV2(attributes: ArrayAttributes, arrays: readonly ZarrArrayInfo[]): ZarrDocument[] {
  const documents: ZarrDocument[] = [
    { key: ".zgroup", json: { zarr_format: 2 } },
    { key: ".zattrs", json: attributes },
  ];
  for (const array of arrays) {
    documents.push({
      key: `${array.name}/.zarray`,
      json: {
        zarr_format: 2,
        shape: array.shape,
        chunks: array.chunkShape,
        dtype: version2Types[array.dataType],
        compressor: array.codec.metadataV2() ?? null,
        fill_value: isFloat(array.dataType) ? "NaN" : null,
        filters: null,
        order: "C",
        dimension_separator: ".",
      },
    });
    // xarray finds the dimensions of a version 2 array in this attribute.
    documents.push({
      key: `${array.name}/.zattrs`,
      json: { ...array.attributes, _ARRAY_DIMENSIONS: array.dimensions },
    });
  }
  const metadata = Object.fromEntries(documents.map((document) => [document.key, document.json]));
  documents.push({ key: ".zmetadata", json: { zarr_consolidated_format: 1, metadata } });
  return documents;
}
