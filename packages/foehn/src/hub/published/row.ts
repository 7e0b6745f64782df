// A row of the catalogue of published models (../catalogue.ts). Plain data: nothing here reads a file or the network.

/** What a model does. */
export type PublishedKind = "prognostic" | "diagnostic" | "assimilation";

/** A published model. */
export interface PublishedModel {
  /** Name in `builtin://name`. */
  readonly name: string;
  /** Names in other systems: the class in Earth2Studio, `e2mip://` names. */
  readonly aliases: readonly string[];
  readonly title: string;
  readonly kind: PublishedKind;
  /** Default package; pinned to a commit or version where the publisher has such. */
  readonly uri: string;
  /** SPDX identifier or the publisher's words; undefined where unknown here: look at the publisher's page. */
  readonly license: string | undefined;
  readonly grid: string | undefined;
  /** Seconds between two states of its forecast. */
  readonly stepSeconds: number | undefined;
  /** States that it starts from, the newest included, and the seconds between them. */
  readonly history: number;
  readonly channels: readonly string[] | undefined;
  /** Files that loading reads, relative to the package. */
  readonly files: readonly string[];
  /** Why Foehn cannot load it; undefined where it can. */
  readonly notLoadable: string | undefined;
}

/** What a row says; the rest has the defaults of the catalogue. */
export type Row = Pick<PublishedModel, "name" | "title" | "uri"> & Partial<PublishedModel>;

export const hour = 3600;

/** The grid of 0.25° with both poles. */
export const quarter = "721x1440";

export const byNcSa = "CC-BY-NC-SA-4.0";

/** Address of a model of NVIDIA's in NGC. */
export const ngc = (path: string): string => `ngc://models/nvidia/${path}`;
