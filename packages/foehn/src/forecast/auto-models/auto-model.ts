// AutoModel: a model that knows where its published weights are and how to load them, after Earth2Studio's AutoModelMixin. A model of your
// own is a class with these two methods. Naming a package reads nothing; its files come when `loadModel` asks for them.
// Not here: the table of published models (hub/catalogue.ts).

import { type PublishedModel, publishedModel } from "../../hub/catalogue.js";
import { Package, type PackageOptions } from "../../hub/package.js";
import type { PackageFiles } from "../../hub/package-files.js";
import type { OpenLoop } from "../open-loop.js";
import type { LoadModelOptions, ModelLoader } from "./model-loader.js";

/** A model with published weights. */
export abstract class AutoModel {
  abstract readonly name: string;

  /** Where the weights are. Reads no file and asks no network. */
  abstract loadDefaultPackage(options?: PackageOptions): PackageFiles;

  /** Loads the model; files are fetched when they are needed. The caller disposes the loop. */
  abstract loadModel(files: PackageFiles, options?: LoadModelOptions): Promise<OpenLoop>;

  /** From an address, or from the default package. */
  async fromPretrained(uri?: string, options: LoadModelOptions & PackageOptions = {}): Promise<OpenLoop> {
    const files = uri === undefined ? this.loadDefaultPackage(options) : new Package(uri, options);
    return this.loadModel(files, options);
  }
}

/** A model of the catalogue. */
export class PublishedAutoModel extends AutoModel {
  readonly published: PublishedModel;
  readonly #load: ModelLoader;

  constructor(
    readonly name: string,
    load: ModelLoader,
  ) {
    super();
    this.published = publishedModel(name);
    this.#load = load;
  }

  loadDefaultPackage(options: PackageOptions = {}): Package {
    return new Package(this.published.uri, options);
  }

  async loadModel(files: PackageFiles, options: LoadModelOptions = {}): Promise<OpenLoop> {
    return this.#load(files, options, this.published);
  }
}
