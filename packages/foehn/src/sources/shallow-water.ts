// A rotating shallow-water basin on the mid-latitude beta plane, integrated with the tensor engine in float64: closed free-slip walls,
// flat bottom, Arakawa's C grid, Sadourny's (1975, J. Atmos. Sci. 32, 680–689) energy-conserving scheme, classical Runge–Kutta
// steps. Walls rather than periodic sides, so that everything that happens in the domain comes from inside it.
// Mass is conserved to rounding. Energy, at the default size of the source: without the filter it falls by some 1e-7 a day (the time
// scheme); with it by 0.2 to 0.6 % a day (measured over 40 days, three seeds), which is what grid-scale noise takes along.
// Not here: the source that hands the states out (synthetic.ts), forcing, bottom topography.

import type { Tensor } from "@foehn/torch";
import * as torch from "@foehn/torch";

/** Physical and numerical parameters. */
export interface ShallowWaterOptions {
  readonly ny: number;
  readonly nx: number;
  /** Distances between points, m. */
  readonly dy: number;
  readonly dx: number;
  /** Latitude of the middle of the basin, degrees north. */
  readonly latitude: number;
  /** Mean depth, m; gravity waves run at sqrt(g · depth). */
  readonly meanDepth: number;
  /** Root mean square of the initial current, m s-1. */
  readonly windSpeed: number;
  readonly seed: number;
  /** Hourly removal of grid-scale noise; without it energy is conserved but enstrophy piles up at the grid scale. Default true. */
  readonly filter?: boolean;
  /** Own initial state instead of the random one; u and v on the interior faces, (ny, nx − 1) and (ny − 1, nx). */
  readonly initial?: ShallowWaterFields;
}

const gravity = 9.80665;
const rotation = 7.292115e-5;
const earthRadius = 6_371_008.8;

/** Depth and currents, rows from south to north, row-major; at the cell centres, `(ny, nx)`, where nothing else is said. */
export interface ShallowWaterFields {
  readonly h: Float64Array;
  readonly u: Float64Array;
  readonly v: Float64Array;
}

/** h at cell centres (ny, nx), u on interior faces (ny, nx − 1), v on interior faces (ny − 1, nx); rows from south to north. */
type State = readonly [h: Tensor, u: Tensor, v: Tensor];

/** The model: owns its state; advance it with `run`, free it with `dispose`. */
export class ShallowWater {
  readonly #options: ShallowWaterOptions;
  /** Coriolis parameter at the interior corners, (ny − 1, 1), s-1. */
  readonly #coriolis: Tensor;
  #state: State;

  /** Starts from a random state in approximate geostrophic balance. */
  constructor(options: ShallowWaterOptions) {
    this.#options = options;
    const { ny, nx } = options;
    const initial = options.initial ?? balancedState(options);
    const tensor = (values: Float64Array, shape: [number, number]) => torch.keep(torch.tensor(values, { shape }));
    this.#state = [tensor(initial.h, [ny, nx]), tensor(initial.u, [ny, nx - 1]), tensor(initial.v, [ny - 1, nx])];
    this.#coriolis = tensor(
      Float64Array.from({ length: ny - 1 }, (_, i) => coriolis(options, i + 1)),
      [ny - 1, 1],
    );
  }

  /** Largest stable step in seconds, with a margin: Runge–Kutta 4 allows a frequency of 2.8 / step. */
  get stableStep(): number {
    const { dx, dy, meanDepth, windSpeed } = this.#options;
    // Currents reach some four times their root mean square.
    const speed = Math.sqrt(gravity * meanDepth) + 4 * windSpeed;
    return 2.5 / (2 * speed * Math.hypot(1 / dx, 1 / dy));
  }

  /** Advances by `seconds`; with `damping`, divergence (gravity waves) is damped in every step: for the spin-up. */
  run(seconds: number, options: { readonly damping?: boolean } = {}): void {
    const numSteps = Math.ceil(seconds / this.stableStep);
    const dt = seconds / numSteps;
    const next = torch.scope(() =>
      torch.noGrad((): Tensor[] => {
        let state = this.#state;
        for (let n = 0; n < numSteps; n++) {
          // Each step frees its own intermediate fields: the memory of a run does not grow with its length.
          state = torch.scope((): State => {
            const stepped = this.#step(state, dt);
            return options.damping ? this.#dampDivergence(stepped) : stepped;
          });
        }
        return this.#options.filter === false ? [...state] : this.#dampDivergence(state).map((x, k) => shapiro(x, k));
      }),
    );
    const [h, u, v] = next.map((x) => torch.keep(x)) as [Tensor, Tensor, Tensor];
    for (const old of this.#state) old.dispose();
    this.#state = [h, u, v];
  }

  /** The fields now, currents averaged to the cell centres. */
  fields(): ShallowWaterFields {
    return torch.scope(() => {
      const [h, u, v] = this.#state;
      const values = (x: Tensor) => x.contiguous().toTypedArray() as Float64Array;
      return { h: values(h), u: values(mean(pad(u, 1), 1)), v: values(mean(pad(v, 0), 0)) };
    });
  }

  /** Sum of the depth over the basin, m³. */
  mass(): number {
    return torch.scope(() => this.#state[0].sum().item()) * this.#options.dx * this.#options.dy;
  }

  /** Kinetic and available potential energy, m⁵ s-2 (energy per density), as the scheme conserves it. */
  energy(): number {
    const { dx, dy, meanDepth } = this.#options;
    return torch.scope(() => {
      const [h, u, v] = this.#state;
      const kinetic = mean(h, 1).mul(u).mul(u).sum().item() + mean(h, 0).mul(v).mul(v).sum().item();
      const anomaly = h.sub(meanDepth);
      return 0.5 * (kinetic + gravity * anomaly.mul(anomaly).sum().item()) * dx * dy;
    });
  }

  dispose(): void {
    for (const x of [...this.#state, this.#coriolis]) x.dispose();
  }

  /** One Runge–Kutta step. */
  #step(state: State, dt: number): State {
    const k1 = this.#tendency(state);
    const k2 = this.#tendency(combine(state, k1, dt / 2));
    const k3 = this.#tendency(combine(state, k2, dt / 2));
    const k4 = this.#tendency(combine(state, k3, dt));
    return state.map((x, i) =>
      k2[i]!.add_(k3[i]!)
        .mul_(2)
        .add_(k1[i]!)
        .add_(k4[i]!)
        .mul_(dt / 6)
        .add_(x),
    ) as unknown as State;
  }

  /** Right-hand sides. Products with zero at the walls make the walls: no flow through them, and energy stays. */
  #tendency([h, u, v]: State): State {
    const { dx, dy } = this.#options;
    const hx = mean(h, 1);
    const massX = hx.mul(u);
    const massY = mean(h, 0).mul(v);
    const vorticity = diff(v, 1).div_(dx).sub_(diff(u, 0).div_(dy));
    const potential = vorticity.add_(this.#coriolis).div_(mean(hx, 0));
    const bernoulli = mean(pad(u.mul(u), 1), 1)
      .add_(mean(pad(v.mul(v), 0), 0))
      .mul_(0.5)
      .add_(h, { alpha: gravity });
    const du = mean(pad(potential.mul(mean(massY, 1)), 0), 0).sub_(diff(bernoulli, 1), { alpha: 1 / dx });
    const dv = mean(pad(potential.mul(mean(massX, 0)), 1), 1)
      .neg_()
      .sub_(diff(bernoulli, 0), { alpha: 1 / dy });
    const dh = diff(pad(massX, 1), 1)
      .mul_(-1 / dx)
      .sub_(diff(pad(massY, 0), 0), { alpha: 1 / dy });
    return [dh, du, dv];
  }

  /** Diffuses the divergence of the current once: gravity waves fade, balanced flow has no divergence to lose. */
  #dampDivergence([h, u, v]: State): State {
    const { dx, dy } = this.#options;
    const strength = 0.1 * Math.min(dx, dy) ** 2;
    const divergence = diff(pad(u, 1), 1)
      .div_(dx)
      .add_(diff(pad(v, 0), 0).div_(dy));
    return [
      h,
      u.add(diff(divergence, 1), { alpha: strength / dx }),
      v.add(diff(divergence, 0), { alpha: strength / dy }),
    ];
  }
}

/** Mean of neighbours along a dimension: one point fewer. */
function mean(x: Tensor, dim: number): Tensor {
  const n = x.size(dim) - 1;
  return x
    .narrow(dim, 0, n)
    .add(x.narrow(dim, 1, n))
    .mul_(0.5);
}

/** Difference of neighbours along a dimension: one point fewer. */
function diff(x: Tensor, dim: number): Tensor {
  const n = x.size(dim) - 1;
  return x.narrow(dim, 1, n).sub(x.narrow(dim, 0, n));
}

/** A zero on both ends of a dimension. */
function pad(x: Tensor, dim: number): Tensor {
  return x.constantPadNd(dim === 1 ? [1, 1] : [0, 0, 1, 1]);
}

function combine(state: State, tendency: State, dt: number): State {
  return state.map((x, i) => x.add(tendency[i]!, { alpha: dt })) as unknown as State;
}

/**
 * Shapiro's (1970) filter of order 8 in both directions: removes waves of two points, leaves those of eight and more. The sum of h
 * stays to rounding, since each application is the divergence of a flux that vanishes at the walls.
 * @param field 0 for h, 1 for u (zero at the east and west walls), 2 for v (zero at the north and south walls)
 */
function shapiro(x: Tensor, field: number): Tensor {
  let out = x;
  for (const dim of [0, 1]) {
    const zeroAtWalls = (field === 1 && dim === 1) || (field === 2 && dim === 0);
    let part = out;
    for (let n = 0; n < 4; n++) {
      part = (zeroAtWalls ? diff(diff(pad(part, dim), dim), dim) : diff(pad(diff(part, dim), dim), dim)).mul_(-0.25);
    }
    out = out.sub(part);
  }
  return out;
}

/** Coriolis parameter on the beta plane at corner row `i` (0 at the southern wall, ny at the northern), s-1. */
function coriolis(options: ShallowWaterOptions, i: number): number {
  const { latitude, ny, dy } = options;
  const phi = (latitude * Math.PI) / 180;
  const beta = (2 * rotation * Math.cos(phi)) / earthRadius;
  return 2 * rotation * Math.sin(phi) + beta * dy * (i - ny / 2);
}

/**
 * A random streamfunction of sine waves (zero on the walls, vortices of about a tenth of the basin), the current that follows it and the
 * depth in geostrophic balance with it.
 */
function balancedState(options: ShallowWaterOptions): ShallowWaterFields {
  const { ny, nx, dy, dx, meanDepth, windSpeed, seed } = options;
  const modes = 12;
  const [amplitude, sinX, sinY] = torch.scope(() => {
    // The generator of the engine is global: it is given back as it was.
    const before = torch.getRngState();
    torch.manualSeed(seed);
    const random = torch.randn([modes, modes], { dtype: "float64" }).toTypedArray() as Float64Array;
    torch.setRngState(before);
    const waves = (n: number) =>
      Float64Array.from({ length: modes * (n + 1) }, (_, k) =>
        Math.sin((Math.PI * (Math.floor(k / (n + 1)) + 1) * (k % (n + 1))) / n),
      );
    return [random, waves(nx), waves(ny)] as const;
  });
  const psi = new Float64Array((ny + 1) * (nx + 1));
  for (let m = 0; m < modes; m++) {
    for (let n = 0; n < modes; n++) {
      const wave = Math.hypot(m + 1, n + 1);
      const a = (amplitude[m * modes + n]! * Math.exp(-(((wave - 7) / 2.5) ** 2))) / wave;
      for (let i = 0; i <= ny; i++) {
        const row = a * sinY[m * (ny + 1) + i]!;
        for (let j = 0; j <= nx; j++) psi[i * (nx + 1) + j]! += row * sinX[n * (nx + 1) + j]!;
      }
    }
  }
  const at = (i: number, j: number) => psi[i * (nx + 1) + j]!;
  const u = Float64Array.from({ length: ny * (nx - 1) }, (_, k) => {
    const [i, j] = [Math.floor(k / (nx - 1)), (k % (nx - 1)) + 1];
    return -(at(i + 1, j) - at(i, j)) / dy;
  });
  const v = Float64Array.from({ length: (ny - 1) * nx }, (_, k) => {
    const [i, j] = [Math.floor(k / nx) + 1, k % nx];
    return (at(i, j + 1) - at(i, j)) / dx;
  });
  const sumOfSquares = (x: Float64Array) => x.reduce((sum, value) => sum + value * value, 0);
  const scale = windSpeed / Math.sqrt((sumOfSquares(u) + sumOfSquares(v)) / (ny * nx));
  const h = Float64Array.from({ length: ny * nx }, (_, k) => {
    const [i, j] = [Math.floor(k / nx), k % nx];
    const centre = 0.25 * (at(i, j) + at(i + 1, j) + at(i, j + 1) + at(i + 1, j + 1)) * scale;
    return (coriolis(options, i + 0.5) * centre) / gravity;
  });
  const offset = h.reduce((sum, value) => sum + value, 0) / h.length;
  return { h: h.map((x) => x - offset + meanDepth), u: u.map((x) => x * scale), v: v.map((x) => x * scale) };
}
