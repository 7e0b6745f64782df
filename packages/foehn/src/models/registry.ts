// The registry of networks: from a name in `--model` or `metadata.json` to a class, and from raw settings to a network.
// The zoo is registered here; a project registers its own class with `networks.register`.

import { validateSettings } from "../core/config.js";
import { ConfigError, UsageError } from "../core/errors.js";
import { didYouMean } from "../core/suggest.js";
import type { InputShape, Network, NetworkClass, NetworkSettings } from "./network.js";
import { Afno } from "./zoo/afno.js";
import { CustomUNet } from "./zoo/custom-unet.js";
import { DeepLabV3 } from "./zoo/deeplab-v3.js";
import { DeepLabV3Plus } from "./zoo/deeplab-v3-plus.js";
import { GraphLAM } from "./zoo/graph-lam.js";
import { HalfUNet } from "./zoo/half-unet.js";
import { HiLAM } from "./zoo/hi-lam.js";
import { HiLAMParallel } from "./zoo/hi-lam-parallel.js";
import { Identity } from "./zoo/identity.js";
import { Persistence } from "./zoo/persistence.js";
import { Segformer } from "./zoo/segformer/segformer.js";
import { SwinUNetR } from "./zoo/swinunetr/swinunetr.js";
import { UNet } from "./zoo/unet.js";
import { UNetRPP } from "./zoo/unetrpp/unetrpp.js";

/** Networks by name. Names are compared without case, dashes and underscores: `HalfUNet`, `half-unet` and `halfunet` are one. */
export class NetworkRegistry {
  readonly #classes = new Map<string, NetworkClass>();
  readonly #origins = new Map<NetworkClass, string>();

  /**
   * Adds a class under its `modelName`.
   * @param origin the plugin it comes from
   * @throws ConfigError when another class has the name
   */
  register<S extends NetworkSettings>(registered: NetworkClass<S>, origin?: string): void {
    // Only createNetwork calls the constructor, with settings that this class's own schema has checked.
    const network = registered as unknown as NetworkClass;
    const key = canonical(network.modelName);
    const known = this.#classes.get(key);
    if (known !== undefined && known !== network) {
      const from = (place: string | undefined) => (origin === undefined ? "" : ` of ${place ?? "Foehn itself"}`);
      const both = `${known.name}${from(this.#origins.get(known))} and ${network.name}${from(origin)}`;
      throw new ConfigError(`two networks are called "${network.modelName}": ${both}`, {
        hint: "rename one: change its static modelName",
      });
    }
    this.#classes.set(key, network);
    if (origin !== undefined) this.#origins.set(network, origin);
  }

  /** Whether a name is known. */
  has(name: string): boolean {
    return this.#classes.has(canonical(name));
  }

  /** The plugin that brought a network; undefined for Foehn's own and for unknown names. */
  originOf(name: string): string | undefined {
    const network = this.#classes.get(canonical(name));
    return network && this.#origins.get(network);
  }

  /** The class of a name. @throws UsageError for an unknown name, with the nearest ones */
  get(name: string): NetworkClass {
    const network = this.#classes.get(canonical(name));
    if (network === undefined) {
      const names = this.list().map((item) => item.modelName);
      throw new UsageError(`unknown model "${name}"`, {
        hint: `${didYouMean(name, names)} Known models: ${names.join(", ")}.`.trim(),
      });
    }
    return network;
  }

  /** All classes, by name. */
  list(): NetworkClass[] {
    return [...this.#classes.values()].sort((a, b) => a.modelName.localeCompare(b.modelName));
  }
}

/** The registry that training, packages and the command line use. */
export const networks = new NetworkRegistry();
networks.register(Afno);
networks.register(CustomUNet);
networks.register(DeepLabV3);
networks.register(DeepLabV3Plus);
networks.register(GraphLAM);
networks.register(HalfUNet);
networks.register(HiLAM);
networks.register(HiLAMParallel);
networks.register(Identity);
networks.register(Persistence);
networks.register(Segformer);
networks.register(SwinUNetR);
networks.register(UNet);
networks.register(UNetRPP);

/**
 * Makes a network with fresh weights.
 * @param settings raw settings (from a file or `metadata.json`); missing keys take their defaults
 * @throws UsageError for an unknown name, ConfigError for settings that do not fit the schema
 */
export function createNetwork(
  name: string,
  numInputFeatures: number,
  numOutputFeatures: number,
  settings: unknown,
  inputShape: InputShape,
): Network {
  const network = networks.get(name);
  const checked = validateSettings(network.settings, settings ?? {}, `settings of ${network.modelName}`);
  return new network(numInputFeatures, numOutputFeatures, checked, inputShape);
}

function canonical(name: string): string {
  return name.toLowerCase().replace(/[-_ ]/g, "");
}
