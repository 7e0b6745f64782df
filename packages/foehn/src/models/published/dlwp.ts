// DLWP's network: a UNet on the six faces of a cubed sphere, (B, C, 6, n, n) → (B, C', 6, n, n). Four faces along the equator share their
// weights, the two polar ones have their own; each face is framed by its neighbours, turned to fit, before a convolution. Weyn et al. 2021,
// JAMES 13, e2021MS002502. Layers, state-dict keys and defaults are those of NVIDIA PhysicsNeMo's `DLWP`, so that its checkpoints load.

import * as torch from "@foehn/torch";
import { nn, type Tensor } from "@foehn/torch";
import { ModelError } from "../../core/errors.js";

/** Sizes of the network. */
export interface DlwpSettings {
  readonly inputs: number;
  readonly outputs: number;
  /** Features of the first level; each level below has twice as many. Default 64. */
  readonly features?: number;
  /** Levels of the UNet; default 2. */
  readonly depth?: number;
  /** Bounds of every activation; default no lower one, and 10. */
  readonly clamp?: readonly [min: number | null, max: number | null];
}

/** Slope of the leaky ReLU for negative values. */
const SLOPE = 0.1;
const FACES = 6;
const EQUATOR = 4;

/** A face beside another, and by how many quarter turns it fits. */
type Neighbour = readonly [face: number, turns: number];

/** What lies around a face: before its first column, after its last one, before its first row, after its last one. */
interface Frame {
  readonly left: Neighbour;
  readonly right: Neighbour;
  readonly first: Neighbour;
  readonly last: Neighbour;
  /** Corners are taken from the faces above and below (equator) or beside (poles). */
  readonly cornersBeside: boolean;
}

const frames: readonly Frame[] = [
  ...Array.from({ length: EQUATOR }, (_, i) => ({
    left: [(i + 3) % EQUATOR, 0] as const,
    right: [(i + 1) % EQUATOR, 0] as const,
    first: [4, -i] as const,
    last: [5, i] as const,
    cornersBeside: false,
  })),
  { left: [3, -1], right: [1, 1], first: [5, 0], last: [0, 0], cornersBeside: true },
  { left: [3, 1], right: [1, -1], first: [0, 0], last: [4, 0], cornersBeside: true },
];

/** The network; see the top of this file. */
export class DlwpNetwork extends nn.Module {
  readonly equatorial_downsample: nn.ModuleList<nn.Conv2d>;
  readonly equatorial_mid_layers: nn.ModuleList<nn.Conv2d>;
  readonly equatorial_upsample: nn.ModuleList<nn.Conv2d>;
  readonly equatorial_last: nn.Conv2d;
  readonly polar_downsample: nn.ModuleList<nn.Conv2d>;
  readonly polar_mid_layers: nn.ModuleList<nn.Conv2d>;
  readonly polar_upsample: nn.ModuleList<nn.Conv2d>;
  readonly polar_last: nn.Conv2d;
  readonly #clamp: readonly [number | null, number | null];

  constructor(settings: DlwpSettings) {
    super();
    const { inputs, outputs, features = 64, depth = 2, clamp = [null, 10] } = settings;
    this.#clamp = clamp;
    const at = (level: number) => features * 2 ** level;
    const widths = { down: [] as [number, number][], up: [] as [number, number][] };
    for (let level = 0; level < depth; level++) {
      widths.down.push([level === 0 ? inputs : at(level - 1), at(level)], [at(level), at(level)]);
    }
    const mid: [number, number][] = [
      [at(depth - 1), at(depth)],
      [at(depth), at(depth - 1)],
    ];
    for (let level = depth - 1; level >= 0; level--) {
      widths.up.push([2 * at(level), at(level)], [at(level), level === 0 ? features : at(level - 1)]);
    }
    const list = (pairs: readonly [number, number][]) =>
      new nn.ModuleList(pairs.map(([from, to]) => new nn.Conv2d(from, to, 3)));
    this.equatorial_downsample = list(widths.down);
    this.polar_downsample = list(widths.down);
    this.equatorial_mid_layers = list(mid);
    this.polar_mid_layers = list(mid);
    this.equatorial_upsample = list(widths.up);
    this.polar_upsample = list(widths.up);
    this.equatorial_last = new nn.Conv2d(features, outputs, 1);
    this.polar_last = new nn.Conv2d(features, outputs, 1);
  }

  /** @throws ModelError when the input is not six square faces */
  override forward(x: Tensor): Tensor {
    if (x.ndim !== 5 || x.size(2) !== FACES || x.size(3) !== x.size(4)) {
      throw new ModelError(`the input is (${x.shape.join(", ")}), DLWP takes (batch, channels, ${FACES}, n, n)`);
    }
    let faces = Array.from({ length: FACES }, (_, i) => x.select(2, i));
    const skipped: Tensor[][] = [];
    const layer = (equator: nn.Conv2d, pole: nn.Conv2d): void => {
      faces = this.#convolve(faces, equator, pole).map((face) => this.#activation(face));
    };
    for (let i = 0; i < this.equatorial_downsample.length; i++) {
      layer(this.equatorial_downsample.at(i), this.polar_downsample.at(i));
      if (i % 2 === 0) continue;
      skipped.push(faces);
      faces = faces.map((face) => torch.avgPool2d(face, [2, 2]));
    }
    for (let i = 0; i < 2; i++) layer(this.equatorial_mid_layers.at(i), this.polar_mid_layers.at(i));
    for (let i = 0; i < this.equatorial_upsample.length; i++) {
      if (i % 2 === 0) {
        const beside = skipped.pop()!;
        faces = faces.map((face, f) => torch.cat([doubled(face), beside[f]!], { dim: 1 }));
      }
      layer(this.equatorial_upsample.at(i), this.polar_upsample.at(i));
    }
    return torch.stack(this.#convolve(faces, this.equatorial_last, this.polar_last), { dim: 2 });
  }

  #activation(x: Tensor): Tensor {
    const [min, max] = this.#clamp;
    const y = torch.leakyRelu(x, { negativeSlope: SLOPE });
    return min === null && max === null ? y : y.clamp({ min, max });
  }

  /** One convolution of all faces. The second pole is mirrored, so that both poles see the world turn the same way. */
  #convolve(faces: readonly Tensor[], equator: nn.Conv2d, pole: nn.Conv2d): Tensor[] {
    const width = (equator.kernelSize[0]! - 1) / 2;
    const framed = width === 0 ? faces : faces.map((face, i) => frame(face, faces, frames[i]!, width));
    const around = equator.forward(torch.cat(framed.slice(0, EQUATOR), { dim: 0 })).chunk(EQUATOR);
    const mirror = (face: Tensor) => face.flip([-1]);
    const [north, south] = pole.forward(torch.cat([framed[4]!, mirror(framed[5]!)], { dim: 0 })).chunk(2);
    return [...around, north!, mirror(south!)];
  }
}

/** A face with `width` more cells on every side. */
function frame(face: Tensor, faces: readonly Tensor[], around: Frame, width: number): Tensor {
  const turned = ([index, turns]: Neighbour) =>
    turns % 4 === 0 ? faces[index]! : faces[index]!.rot90({ k: ((turns % 4) + 4) % 4, dims: [-2, -1] });
  const [left, right, first, last] = [around.left, around.right, around.first, around.last].map(turned) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const [across, along] = around.cornersBeside ? [-2, -1] : [-1, -2];
  // Along one direction the face between its two neighbours; along the other the two others, made longer by their own ends.
  const [before, after] = around.cornersBeside ? [first, last] : [left, right];
  const [above, below] = around.cornersBeside ? [left, right] : [first, last];
  const start = (x: Tensor, dim: number) => x.narrow(dim, 0, width);
  const end = (x: Tensor, dim: number) => x.narrow(dim, x.size(dim) - width, width);
  const longer = (x: Tensor) => torch.cat([start(x, across), x, end(x, across)], { dim: across });
  const middle = torch.cat([end(before, across), face, start(after, across)], { dim: across });
  return torch.cat([end(longer(above), along), middle, start(longer(below), along)], { dim: along });
}

/** Every cell four times. */
function doubled(x: Tensor): Tensor {
  return x.repeatInterleave(2, { dim: -2 }).repeatInterleave(2, { dim: -1 });
}
