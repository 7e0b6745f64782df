// The registry of networks: from a name in `--model` or `metadata.json` to a class, and from raw settings to a network.
// The zoo is registered here; a project registers its own class with `networks.register`.

import { validateSettings } from "../core/config.js";
import { looseName, Registry } from "../core/registry.js";
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

/**
 * Networks by name, with case, dashes and underscores ignored; `networks.register` adds a class under its static `modelName`.
 */
export class NetworkRegistry extends Registry<NetworkClass> {
  constructor() {
    super({
      one: "model",
      many: "models",
      names: (network) => [network.modelName],
      describe: (network) => network.name,
      rename: "change the static modelName of one",
      key: looseName,
    });
  }

  // Only createNetwork calls the constructor, with settings that the class's own schema has checked.
  override register<S extends NetworkSettings>(network: NetworkClass<S>, origin?: string): void {
    super.register(network as unknown as NetworkClass, origin);
  }

  /** All classes, by name. */
  override list(): NetworkClass[] {
    return super.list().sort((a, b) => a.modelName.localeCompare(b.modelName));
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
