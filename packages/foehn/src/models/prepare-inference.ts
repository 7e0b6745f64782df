// A network made ready for many forwards of one shape in bfloat16 on the CPU: its forward is traced at the first call, batch
// normalisations are folded into convolutions, weights are cast and packed once. It works on any network and knows none; what it gives
// is compared with the plain forward once, and where it cannot help, the plain forward stays. Not for training.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";
import { type Logger, silentLogger } from "../core/log.js";
import type { Network, NetworkClass } from "./network.js";

/** Options of `prepareForInference`. */
export interface PrepareOptions {
  /** `fp32` leaves the network as it is: its numbers are the reference, to the bit. */
  readonly precision: "fp32" | "bf16-mixed";
  /** Default `cpu`; elsewhere the network is left as it is, and so are graph networks. */
  readonly device?: string | undefined;
  /** Told at level debug what was fused, and at level warn why a network was left as it is. */
  readonly logger?: Logger | undefined;
}

/** What calls a network. Free it with `dispose`; the network stays the caller's. */
export interface PreparedForward extends Disposable {
  /** As the network's own; inside the same autocast. */
  forward(x: Tensor): Tensor;
  /** What was fused for the shape of the last call; null where the plain forward runs. */
  readonly fusions: torch.Fusions | null;
  dispose(): void;
}

/** Fused and plain results may be this far apart, ‖fused − plain‖/‖plain‖; bfloat16 itself makes up to a few hundredths in deep networks. */
const LARGEST_DEVIATION = 0.05;

/** Prepares a network in evaluation mode. Nothing is computed before the first forward, which takes about three times as long as a plain one. */
export function prepareForInference(network: Network, options: PrepareOptions): PreparedForward {
  const { precision, device = "cpu", logger = silentLogger } = options;
  // Message passing of graph networks runs in loops of its own, which a trace does not see: it would run their slower operators.
  const isGraph = (network.constructor as Partial<NetworkClass>).modelType === "graph";
  if (precision === "fp32" || device !== "cpu" || isGraph) return plain(network);
  return new FusedForward(network, logger);
}

function plain(network: Network): PreparedForward {
  const dispose = (): void => {};
  return { forward: (x) => network.forward(x), fusions: null, dispose, [Symbol.dispose]: dispose };
}

class FusedForward implements PreparedForward {
  fusions: torch.Fusions | null = null;
  readonly #network: Network;
  readonly #logger: Logger;
  #shape = "";
  #graph: torch.Graph | null = null;
  #runner: torch.GraphRunner | null = null;

  constructor(network: Network, logger: Logger) {
    this.#network = network;
    this.#logger = logger;
  }

  forward(x: Tensor): Tensor {
    const shape = x.shape.join();
    if (shape !== this.#shape) {
      this.dispose();
      this.#shape = shape;
      this.#prepare(x);
    }
    return this.#runner === null ? this.#network.forward(x) : this.#runner.run(x)[0]!;
  }

  #prepare(x: Tensor): void {
    let expected: Tensor | null = null;
    try {
      this.#graph = torch.trace(
        (input) => {
          expected = torch.keep(this.#network.forward(input));
          return expected;
        },
        x,
        { dynamicBatch: false },
      );
      const fusions = torch.fuseForInference(this.#graph);
      const runner = new torch.GraphRunner(this.#graph);
      const deviation = torch.scope(() => difference(runner.run(x)[0]!, expected!));
      if (!(deviation <= LARGEST_DEVIATION)) {
        throw new Error(`the fused forward is ${deviation.toPrecision(2)} from the plain one, relative to its norm`);
      }
      this.#runner = runner;
      this.fusions = fusions;
      this.#logger.debug("the forward of the network is fused", { ...fusions, deviation });
    } catch (error) {
      this.#release();
      const reason = error instanceof Error ? error.message : String(error);
      this.#logger.warn(`the forward of the network is not fused, which only costs time: ${reason}`);
    } finally {
      (expected as Tensor | null)?.dispose();
    }
  }

  #release(): void {
    this.#graph?.dispose();
    this.#graph = null;
    this.#runner = null;
    this.fusions = null;
  }

  dispose(): void {
    this.#release();
    this.#shape = "";
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** ‖a − b‖/‖b‖; 0 where both are 0. */
function difference(a: Tensor, b: Tensor): number {
  const [wide, reference] = [a.float(), b.float()];
  const off = wide.sub(reference).norm().item();
  return off === 0 ? 0 : off / reference.norm().item();
}
