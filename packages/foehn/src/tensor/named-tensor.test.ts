import * as torch from "@foehn/torch";
import fc from "fast-check";
import { describe, expect, expectTypeOf, it } from "vitest";
import type { Dims } from "./dims.js";
import { NamedTensor } from "./named-tensor.js";

const numbered = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}_${i}`);

/** (batch, lat, lon, features) of given sizes, values counting up from 0. */
function grid(batch: number, lat: number, lon: number, features: number, prefix = "f") {
  const count = batch * lat * lon * features;
  const tensor = torch.arange(0, count, 1, { dtype: "float32" }).reshape([batch, lat, lon, features]);
  return new NamedTensor(tensor, ["batch", "lat", "lon", "features"], numbered(prefix, features));
}

const values = (tensor: torch.Tensor) => [...(tensor.contiguous().toTypedArray() as Float32Array)];

describe("constructor", () => {
  it("keeps names and features, frozen", () => {
    const names = ["lat", "features"];
    const nt = new NamedTensor(torch.zeros([2, 1]), names, ["u"]);
    names[0] = "changed";
    expect(nt.names).toEqual(["lat", "features"]);
    expect(Object.isFrozen(nt.names)).toBe(true);
    expect([nt.ndim, nt.dtype, nt.device]).toEqual([2, "float32", "cpu"]);
    expectTypeOf(grid(1, 1, 1, 1).names).toEqualTypeOf<readonly ["batch", "lat", "lon", "features"]>();
  });

  it.each<[string, Dims, Dims, RegExp]>([
    ["too few names", ["lat"], ["u", "v"], /1 names \(lat\) for a tensor of shape \(2, 2\)/],
    ["wrong number of features", ["lat", "features"], ["u"], /1 feature names .* of size 2/],
    ["repeated dimension", ["features", "features"], ["u", "v"], /dimension name "features" comes twice/],
    ["repeated feature", ["lat", "features"], ["u", "u"], /feature name "u" comes twice/],
    ["no feature dimension", ["lat", "feature"], ["u", "v"], /no feature dimension "features"/],
  ])("refuses %s", (_, names, features, message) => {
    expect(() => new NamedTensor(torch.zeros([2, 2]), names, features)).toThrow(message);
  });
});

describe("dimensions", () => {
  it("finds sizes and positions, and names the nearest when wrong", () => {
    const nt = grid(3, 4, 5, 2);
    expect(nt.dimSize("lon")).toBe(5);
    expect(nt.dimIndex("lat")).toBe(1);
    // @ts-expect-error "lan" is not a dimension
    expect(() => nt.dimSize("lan")).toThrow(/no dimension "lan" in \(batch, lat, lon, features\)/);
    const dynamic: NamedTensor = nt;
    expect(() => dynamic.dimSize("height")).toThrow(/no dimension "height"/);
  });

  it("spatial dimensions are never stale (reference case 3)", () => {
    const odd = new NamedTensor(torch.zeros([3, 4, 5, 2]), ["batch", "lat", "lon", "levels"], ["u", "v"], {
      featureDimName: "levels",
    });
    expect(odd.spatialDimIndices).toEqual([1, 2]);
    expect(odd.numSpatialDims).toBe(2);
    expect(odd.flatten("ngrid", "lat", "lon").spatialDimIndices).toEqual([1]);
    expect(() => grid(3, 4, 5, 2).concat(odd as NamedTensor)).toThrow(/dimensions/);
    // @ts-expect-error the names differ
    expect(() => grid(3, 4, 5, 2).concat(odd)).toThrow(/dimensions/);
  });

  it("flattens and unflattens", () => {
    const nt = grid(3, 4, 5, 2);
    const flat = nt.flatten("ngrid", "lat", "lon");
    expectTypeOf(flat.names).toEqualTypeOf<readonly ["batch", "ngrid", "features"]>();
    expect(flat.names).toEqual(["batch", "ngrid", "features"]);
    expect(flat.shape).toEqual([3, 20, 2]);
    expect(nt.flatten("all").names).toEqual(["all", "features"]);
    expect(nt.flatten("ngrid", 1, -2).names).toEqual(["batch", "ngrid", "features"]);
    const back = flat.unflatten("ngrid", [4, 5], ["lat", "lon"]);
    expectTypeOf(back.names).toEqualTypeOf<readonly ["batch", "lat", "lon", "features"]>();
    expect(back.equals(nt)).toBe(true);
    expect(() => nt.flatten("x", "lon", "lat")).toThrow(/back/);
    expect(() => nt.flatten("x", "lon", "features")).toThrow(/holds the features/);
    expect(() => nt.flatten("batch", "lat", "lon")).toThrow(/twice/);
    expect(() => nt.flatten("x", 1, 9)).toThrow(/no dimension 9/);
    // @ts-expect-error "lan" is not a dimension
    expect(() => nt.flatten("x", "lan", "lon")).toThrow(/no dimension/);
    expect(() => flat.unflatten("ngrid", [4, 4], ["lat", "lon"])).toThrow(/do not make 20/);
    expect(() => flat.unflatten("ngrid", [4], ["lat", "lon"])).toThrow(/1 sizes/);
    expect(() => flat.unflatten("features", [1, 2], ["a", "b"])).toThrow(/holds the features/);
  });

  it("squeezes and unsqueezes", () => {
    const nt = grid(1, 4, 5, 2);
    const squeezed = nt.squeeze("batch");
    expectTypeOf(squeezed.names).toEqualTypeOf<readonly ["lat", "lon", "features"]>();
    expect(squeezed.shape).toEqual([4, 5, 2]);
    const back = squeezed.unsqueeze("time", 1);
    expectTypeOf(back.names).toEqualTypeOf<readonly ["lat", "time", "lon", "features"]>();
    expect(back.names).toEqual(["lat", "time", "lon", "features"]);
    expect(squeezed.unsqueeze("last", -1).names).toEqual(["lat", "lon", "features", "last"]);
    expect(() => nt.squeeze("lat")).toThrow(/its size is 4/);
    expect(() => nt.squeeze("features")).toThrow(/holds the features/);
    expect(() => nt.unsqueeze("lat", 0)).toThrow(/twice/);
    expect(() => nt.unsqueeze("x", 6)).toThrow(/4 dimensions/);
  });

  it("expands to another's space without a copy (reference case 7)", () => {
    const nt = grid(3, 4, 5, 2);
    const flat = new NamedTensor(torch.ones([3, 7]), ["batch", "features"], numbered("s", 7));
    const expanded = flat.unsqueezeAndExpandFrom(nt);
    expectTypeOf(expanded.names).toEqualTypeOf<readonly ["batch", "lat", "lon", "features"]>();
    expect(expanded.names).toEqual(["batch", "lat", "lon", "features"]);
    expect(expanded.shape).toEqual([3, 4, 5, 7]);
    expect(expanded.tensor.stride()[1]).toBe(0);
    expect(flat.names).toEqual(["batch", "features"]);
    const single = new NamedTensor(torch.ones([1]), ["features"], ["s"]);
    expect(() => single.unsqueezeAndExpandFrom(grid(1, 2, 2, 1).unsqueeze("time", 0))).toThrow(/cannot place "lat"/);
  });

  it("selects along dimensions but not features (reference case 15)", () => {
    const nt = grid(3, 4, 5, 2);
    expect(() => nt.selectDim("features", 0)).toThrow(/holds the features/);
    const selected = nt.selectDim("lon", 0);
    expectTypeOf(selected.names).toEqualTypeOf<readonly ["batch", "lat", "features"]>();
    expect(selected.names).toEqual(["batch", "lat", "features"]);
    expect(values(selected.tensor).slice(0, 4)).toEqual([0, 1, 10, 11]);
    expect(values(nt.selectDim("batch", -1).tensor)[0]).toBe(80);
    expect(() => nt.selectDim("lon", 5)).toThrow(/outside dimension "lon" of size 5/);
    expect(nt.selectTensorDim("features", 1).shape).toEqual([3, 4, 5]);
    expect([...nt.iterDim("batch")].map((item) => values(item.tensor)[0])).toEqual([0, 40, 80]);
    expect([...nt.iterTensorDim("features")].map((t) => t.shape)).toEqual([
      [3, 4, 5],
      [3, 4, 5],
    ]);
    // @ts-expect-error "lan" is not a dimension
    expect(() => nt.selectDim("lan", 0)).toThrow();
  });

  it("selects several entries; feature names follow", () => {
    const nt = grid(1, 2, 3, 3);
    const picked = nt.indexSelectDim("features", [2, 0]);
    expect(picked.featureNames).toEqual(["f_2", "f_0"]);
    expect(values(picked.tensor).slice(0, 4)).toEqual([2, 0, 5, 3]);
    expect(values(nt.indexSelectDim("lon", [-1, 0]).tensor).slice(0, 3)).toEqual([6, 7, 8]);
    expect(nt.indexSelectTensorDim("lat", [1]).shape).toEqual([1, 1, 3, 3]);
    expect(() => nt.indexSelectDim("lon", [3])).toThrow(/outside/);
    expect(nt.slice("lon", 1).shape).toEqual([1, 2, 2, 3]);
    expect(nt.slice("features", 0, -1).featureNames).toEqual(["f_0", "f_1"]);
    expect(nt.slice("lon", 2, 1).shape).toEqual([1, 2, 0, 3]);
  });

  it("keeps indices beyond 2^24 exact", () => {
    const n = 2 ** 24 + 2;
    const nt = new NamedTensor(torch.arange(0, n, 1, { dtype: "int32" }).reshape([n, 1]), ["lat", "features"], ["i"]);
    expect(nt.indexSelectDim("lat", [n - 1]).tensor.item()).toBe(n - 1);
    nt.dispose();
  });

  it("rearranges (reference case 17)", () => {
    const nt = grid(3, 4, 5, 2);
    const moved = nt.rearrange("batch lat lon features -> batch features lat lon");
    expectTypeOf(moved.names).toEqualTypeOf<readonly ["batch", "features", "lat", "lon"]>();
    expect(moved.names).toEqual(["batch", "features", "lat", "lon"]);
    expect(moved.shape).toEqual([3, 2, 4, 5]);
    expect(moved.featureDimIndex).toBe(1);
    expect(values(moved.feature("f_1")).slice(0, 3)).toEqual([1, 3, 5]);
    expect(moved.rearrange("batch features lat lon -> batch lat lon features").equals(nt)).toBe(true);
    // @ts-expect-error a dimension is dropped
    expect(() => nt.rearrange("batch lat lon features -> batch lat lon")).toThrow(/drops features/);
    // @ts-expect-error an unknown dimension
    expect(() => nt.rearrange("batch lat lon features -> batch lat lon level")).toThrow(/no dimension "level"/);
    // @ts-expect-error not the names in order
    expect(() => nt.rearrange("lat batch lon features -> batch lat lon features")).toThrow(/starts from/);
    // @ts-expect-error no arrow
    expect(() => nt.rearrange("batch lat lon features")).toThrow(/expected "a b -> b a"/);
    const dynamic: NamedTensor = nt;
    expect(() => dynamic.rearrange("batch lat lon features -> batch lat lon lon")).toThrow(/twice/);
  });
});

describe("features", () => {
  it("gives one feature as a view that keeps the dimension (reference case 5)", () => {
    const nt = grid(3, 4, 5, 2);
    expect(nt.feature("f_1").shape).toEqual([3, 4, 5, 1]);
    expect(() => nt.feature("feature_50")).toThrow(/no feature "feature_50"/);
    expect(() => nt.feature("f_3")).toThrow(expect.objectContaining({ hint: expect.stringContaining("f_1") }));
    nt.feature("f_1").zero_();
    expect(values(nt.tensor).slice(0, 4)).toEqual([0, 0, 2, 0]);
    expect(nt.features(["f_1", "f_0"]).featureNames).toEqual(["f_1", "f_0"]);
    expect(() => nt.features(["f_1", "f_1"])).toThrow(/twice/);
    expect(nt.hasFeature("f_1")).toBe(true);
  });

  it("concatenates features, this one's first", () => {
    const a = grid(2, 3, 4, 2, "a");
    const joined = a.concat(grid(2, 3, 4, 1, "b"));
    expectTypeOf(joined.names).toEqualTypeOf<readonly ["batch", "lat", "lon", "features"]>();
    expect(joined.featureNames).toEqual(["a_0", "a_1", "b_0"]);
    expect(values(joined.tensor).slice(0, 6)).toEqual([0, 1, 0, 2, 3, 1]);
    expect(a.concat(undefined)).toBe(a);
  });

  it("refuses what does not fit (reference cases 1 and 3)", () => {
    const a = grid(3, 8, 8, 50, "feature");
    expect(() => a.concat(a.clone())).toThrow(/feature_0/);
    expect(() => a.concat(grid(3, 8, 7, 1, "b"))).toThrow(/"lon" has size 8 in one tensor and 7 in another/);
    const other = new NamedTensor(torch.zeros([3, 8, 1]), ["batch", "lat", "features"], ["x"]);
    // @ts-expect-error the names differ
    expect(() => a.concat(other)).toThrow(/dimensions/);
    expect(() => (a as NamedTensor).concat(other)).toThrow(/dimensions/);
    // @ts-expect-error not a NamedTensor
    expect(() => a.concat(3)).toThrow(/number/);
  });

  it("concatenates a list (reference case 11)", () => {
    const list = [grid(3, 4, 5, 10, "feature"), grid(3, 4, 5, 10, "v"), grid(3, 4, 5, 10, "u")];
    const joined = NamedTensor.concat(list);
    expect(joined.shape).toEqual([3, 4, 5, 30]);
    expect(joined.featureNames).toEqual([...numbered("feature", 10), ...numbered("v", 10), ...numbered("u", 10)]);
    expect(() => NamedTensor.concat([])).toThrow(/empty/);
    const [first] = list;
    const single = NamedTensor.concat([first!]);
    single.tensor.zero_();
    expect(values(first!.tensor)[1]).toBe(1);
  });
});

describe("values", () => {
  it("computes with numbers, tensors and named tensors", () => {
    const a = grid(1, 1, 2, 2);
    expect(values(a.add(1).tensor)).toEqual([1, 2, 3, 4]);
    expect(values(a.sub(a).tensor)).toEqual([0, 0, 0, 0]);
    expect(values(a.mul(torch.tensor([10, 1])).tensor)).toEqual([0, 1, 20, 3]);
    expect(values(a.div(2).tensor)).toEqual([0, 0.5, 1, 1.5]);
    expect(a.add(1).names).toEqual(a.names);
    expect(() => a.add(grid(1, 1, 2, 2, "g"))).toThrow(/features/);
    expect(() => a.add(a.squeeze("batch"))).toThrow(/dimensions/);
  });

  it("clones with gradients and its own names", () => {
    const leaf = torch.ones([2, 1]).requiresGrad_();
    const nt = new NamedTensor(leaf, ["lat", "features"], ["u"]);
    const copy = nt.mul(2).clone();
    copy.tensor.sum().backward();
    expect(values(leaf.grad!)).toEqual([2, 2]);
    expect(nt.detach().tensor.requiresGrad).toBe(false);
    expect(nt.to("float64").dtype).toBe("float64");
    expect(nt.type("bfloat16").dtype).toBe("bfloat16");
  });

  it("keeps an unusual feature dimension through every operation", () => {
    const nt = new NamedTensor(torch.zeros([2, 3, 4]), ["levels", "lat", "lon"], ["u", "v"], {
      featureDimName: "levels",
    });
    const results: NamedTensor[] = [
      nt.clone(),
      nt.flatten("ngrid", "lat", "lon"),
      nt.unsqueeze("time", 0),
      nt.selectDim("lat", 0),
      nt.rearrange("levels lat lon -> lat lon levels"),
      nt.features(["v"]),
      NamedTensor.newLike(torch.ones([2, 3, 4]), nt),
      NamedTensor.expandToBatchLike(torch.ones([5, 2, 3, 4]), nt),
      NamedTensor.stack([nt, nt], "time"),
      NamedTensor.collate([nt]),
      NamedTensor.concat([nt, NamedTensor.concat([nt]).withTensor(torch.ones([2, 3, 4]))].slice(0, 1)),
    ];
    expect(results.map((r) => r.featureDimName)).toEqual(results.map(() => "levels"));
    expect(nt.names).toEqual(["levels", "lat", "lon"]);
  });

  it("prints a table with the range of each feature", () => {
    const nt = new NamedTensor(
      torch.tensor([
        [1, Number.NaN],
        [-2.5, 3],
      ]),
      ["lat", "features"],
      ["t2m", "u"],
    );
    expect(String(nt)).toBe(
      [
        "NamedTensor (lat, features) of shape (2, 2), float32 on cpu",
        "┌──────────────┬──────┬─────┬─────┐",
        "│ Feature name │  Min │ Max │ NaN │",
        "├──────────────┼──────┼─────┼─────┤",
        "│ t2m          │ -2.5 │   1 │   0 │",
        "│ u            │    3 │   3 │   1 │",
        "└──────────────┴──────┴─────┴─────┘",
      ].join("\n"),
    );
  });
});

describe("making new ones", () => {
  it("newLike copies names and refuses another rank (reference case 9)", () => {
    const nt = grid(3, 4, 5, 2);
    const like = NamedTensor.newLike(torch.zeros([1, 4, 5, 2]), nt);
    expectTypeOf(like.names).toEqualTypeOf<readonly ["batch", "lat", "lon", "features"]>();
    expect(like.featureNames).toEqual(nt.featureNames);
    expect(() => NamedTensor.newLike(torch.rand([3, 4, 5]), nt)).toThrow(/4 names/);
    expect(() => NamedTensor.newLike(torch.rand([3, 4, 5, 3]), nt)).toThrow(/2 feature names .* of size 3/);
  });

  it("expandToBatchLike adds a batch", () => {
    const nt = grid(1, 4, 5, 2).squeeze("batch");
    const batch = NamedTensor.expandToBatchLike(torch.zeros([7, 4, 5, 2]), nt);
    expectTypeOf(batch.names).toEqualTypeOf<readonly ["batch", "lat", "lon", "features"]>();
    expect(batch.dimSize("batch")).toBe(7);
    expect(() => NamedTensor.expandToBatchLike(torch.zeros([4, 5, 2]), nt)).toThrow(/4 dimensions/);
    expect(() => NamedTensor.expandToBatchLike(torch.zeros([1, 1, 4, 5, 2]), grid(1, 4, 5, 2))).toThrow(/twice/);
  });

  it("stacks along a new dimension", () => {
    const nt = grid(2, 3, 4, 1);
    const stacked = NamedTensor.stack([nt, nt], "time", 1);
    expectTypeOf(stacked.names).toEqualTypeOf<readonly ["batch", "time", "lat", "lon", "features"]>();
    expect(stacked.shape).toEqual([2, 2, 3, 4, 1]);
    expect(NamedTensor.stack([nt], "time", -1).names).toEqual(["batch", "lat", "lon", "features", "time"]);
    expect(() => NamedTensor.stack([], "time")).toThrow(/empty/);
    expect(() => NamedTensor.stack([nt, grid(2, 3, 5, 1)], "time")).toThrow(/shapes/);
    expect(() => NamedTensor.stack([nt, grid(2, 3, 4, 1, "g")], "time")).toThrow(/features/);
    expect(() => NamedTensor.stack([nt], "lat")).toThrow(/twice/);
    expect(() => NamedTensor.stack([nt], "time", 9 as number)).toThrow(/position 9/);
  });

  it("collates, padding at the end, without touching the samples", () => {
    const a = grid(1, 1, 3, 1).squeeze("batch");
    const b = grid(1, 1, 2, 1).squeeze("batch");
    const batch = NamedTensor.collate([a, b], { padDims: ["lon"], padValue: -1 });
    expectTypeOf(batch.names).toEqualTypeOf<readonly ["batch", "lat", "lon", "features"]>();
    expect(values(batch.tensor)).toEqual([0, 1, 2, 0, 1, -1]);
    expect(NamedTensor.collate([a]).shape).toEqual([1, 1, 3, 1]);
    expect(a.shape).toEqual([1, 3, 1]);
    expect(() => NamedTensor.collate([])).toThrow(/empty/);
    expect(() => NamedTensor.collate([a, b])).toThrow(/shapes/);
    // @ts-expect-error "time" is not a dimension
    expect(() => NamedTensor.collate([a, b], { padDims: ["time"] })).toThrow(/no dimension "time"/);
    expect(() => NamedTensor.collate([a, b], { padDims: ["features"] })).toThrow(/holds the features/);
  });

  it("stacking then selecting gives the samples back", () => {
    const size = fc.integer({ min: 1, max: 4 });
    fc.assert(
      fc.property(size, size, size, fc.integer({ min: 0, max: 3 }), (count, lat, features, position) => {
        const list = Array.from({ length: count }, (_, i) => grid(1, lat, 2, features).squeeze("batch").add(i));
        const stacked = NamedTensor.stack(list, "member", position) as NamedTensor;
        return [...stacked.iterDim("member")].every((item, i) => item.equals(list[i]!));
      }),
    );
  });
});

describe("lifetime", () => {
  it("is kept by a scope that returns it, and freed otherwise", () => {
    let inner: NamedTensor | undefined;
    const kept = torch.scope(() => {
      inner = grid(1, 2, 2, 1);
      return grid(1, 2, 2, 1).mul(2);
    });
    expect(values(kept.tensor)).toEqual([0, 2, 4, 6]);
    expect(inner!.tensor.isDisposed).toBe(true);
    kept.dispose();
    expect(kept.tensor.isDisposed).toBe(true);
  });
});

describe("types", () => {
  it("literal names are a subtype of names known at run time", () => {
    expectTypeOf<NamedTensor<readonly ["lat", "features"]>>().toExtend<NamedTensor>();
    expectTypeOf<NamedTensor>().not.toExtend<NamedTensor<readonly ["lat", "features"]>>();
    expectTypeOf<NamedTensor<readonly ["lat", "features"]>>().not.toExtend<NamedTensor<readonly ["lon", "features"]>>();
    const dynamic: NamedTensor = grid(1, 2, 2, 1);
    expectTypeOf(dynamic.flatten("ngrid", "lat", "lon").names).toEqualTypeOf<Dims>();
    expectTypeOf(dynamic.selectDim("lat", 0).names).toEqualTypeOf<Dims>();
    const either = "lat" as "lat" | "lon";
    expectTypeOf(grid(1, 2, 2, 1).selectDim(either, 0).names).toEqualTypeOf<Dims>();
  });
});
