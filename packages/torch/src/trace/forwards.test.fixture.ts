// Forwards of every family of operators, by name, each with the shape of one sample: what the exporters are tested on.

import type { Tensor } from "../index.js";
import * as torch from "../index.js";

const { nn } = torch;

export type Forward = ((x: Tensor) => Tensor | Tensor[]) | torch.nn.Module;

export const image = [4, 6, 8];
export const conv = (...args: ConstructorParameters<typeof nn.Conv2d>) => new nn.Conv2d(...args);

export const cases: Record<string, [Forward, readonly number[]]> = {
  conv2d: [conv(4, 6, 3, { padding: 1, stride: 2 }), image],
  "conv2d groups, dilation": [conv(4, 8, 3, { padding: [2, 1], dilation: [2, 1], groups: 4, bias: false }), image],
  "conv2d same": [conv(4, 2, [2, 3], { padding: "same" }), image],
  "conv2d reflect": [conv(4, 2, 3, { padding: 1, paddingMode: "reflect" }), image],
  "conv2d replicate": [conv(4, 2, 3, { padding: 1, paddingMode: "replicate" }), image],
  convTranspose2d: [new nn.ConvTranspose2d(4, 3, 2, { stride: 2 }), image],
  "convTranspose2d output padding": [
    new nn.ConvTranspose2d(4, 2, 3, { stride: 2, padding: 1, outputPadding: 1, groups: 2 }),
    image,
  ],
  batchNorm: [new nn.BatchNorm2d(4), image],
  "batchNorm without weights": [new nn.BatchNorm2d(4, { affine: false }), image],
  groupNorm: [new nn.GroupNorm(2, 4), image],
  layerNorm: [new nn.LayerNorm([6, 8]), image],
  "layerNorm without weights": [new nn.LayerNorm(8, { elementwiseAffine: false }), image],
  instanceNorm: [
    (x) => torch.aten("instance_norm", x, null, null, null, null, true, 0.1, 1e-5, false) as Tensor,
    image,
  ],
  linear: [new nn.Linear(8, 3), image],
  "linear of a matrix": [new nn.Linear(8, 3), [8]],
  "linear without bias": [new nn.Linear(8, 3, { bias: false }), image],
  maxPool: [new nn.MaxPool2d(2), image],
  "maxPool, padding": [new nn.MaxPool2d(3, { stride: 2, padding: 1 }), image],
  avgPool: [new nn.AvgPool2d(2), image],
  "adaptive pool to one": [new nn.AdaptiveAvgPool2d(1), image],
  "adaptive pool, even": [new nn.AdaptiveAvgPool2d([3, 2]), image],
  "adaptive pool, uneven": [new nn.AdaptiveAvgPool2d([4, 3]), image],
  "bilinear, aligned corners": [new nn.UpsamplingBilinear2d({ scaleFactor: 2 }), image],
  "bilinear, half pixels": [(x) => nn.functional.interpolate(x, { scaleFactor: 2, mode: "bilinear" }), image],
  "bilinear to a size": [
    (x) => nn.functional.interpolate(x, { size: [9, 7], mode: "bilinear", alignCorners: true }),
    image,
  ],
  "bilinear to a smaller size": [(x) => nn.functional.interpolate(x, { size: [5, 3], mode: "bilinear" }), image],
  nearest: [new nn.UpsamplingNearest2d({ scaleFactor: 2 }), image],
  "nearest to a size": [(x) => nn.functional.interpolate(x, { size: [9, 11] }), image],
  "nearest-exact": [(x) => nn.functional.interpolate(x, { size: [9, 11], mode: "nearest-exact" }), image],
  bicubic: [(x) => nn.functional.interpolate(x, { scaleFactor: 2, mode: "bicubic" }), image],
  "matmul, transpose, softmax": [(x) => torch.softmax(x.matmul(x.transpose(-2, -1)), -1), image],
  "bmm, addmm": [(x) => x.bmm(x.transpose(1, 2)).add(x.select(0, 0).sum()), [3, 5]],
  baddbmm: [(x) => torch.baddbmm(x.bmm(x), x, x, { beta: 0.5, alpha: 2 }), [4, 4]],
  "linear and addmm": [(x) => torch.addmm(torch.ones([3]), x, torch.ones([4, 3]), { alpha: 0.5 }), [4]],
  einsum: [(x) => torch.einsum("bchw,bdhw->bcd", [x, x]), image],
  attention: [(x) => nn.functional.scaledDotProductAttention(x, x, x), image],
  "arithmetic with numbers": [
    (x) =>
      x
        .add(2)
        .mul(3)
        .sub(0.5)
        .div(4)
        .neg()
        .add(torch.aten("rsub.Scalar", x, 1) as Tensor),
    image,
  ],
  "add with alpha": [(x) => x.add(x.abs(), { alpha: 0.3 }).sub(x.square(), { alpha: 2 }), image],
  "division downwards": [
    (x) => x.div(0.3, { roundingMode: "floor" }).add(x.div(0.3, { roundingMode: "trunc" })),
    image,
  ],
  powers: [(x) => x.pow(2).add(x.abs().add(1).pow(0.5)).add(x.pow(3)), image],
  functions: [
    (x) => x.exp().add(x.abs().add(1).log()).add(x.sin()).add(x.cos()).add(x.erf()).add(x.abs().add(0.1).rsqrt()),
    image,
  ],
  rounding: [(x) => x.floor().add(x.ceil()).add(x.round()).add(x.sign()), image],
  clamp: [
    (x) =>
      x
        .clamp({ min: -0.5 })
        .add(x.clamp({ min: -1, max: 0.2 }))
        .add(x.clampMin(0.1))
        .add(x.clampMax(0.1)),
    image,
  ],
  where: [(x) => torch.where(x.gt(0), x, x.mul(0.1)).add(x.le(0.5).float()), image],
  "masked fill": [(x) => x.maskedFill(x.lt(-0.5).logicalOr(x.ge(1)), 7), image],
  "maximum, minimum": [(x) => torch.maximum(x, x.neg()).add(torch.minimum(x, torch.zeros([8]))), image],
  "types meet": [(x) => x.gt(0).to("int64").mul(2).add(0.5).add(x.ne(0).mul(3)), image],
  lerp: [(x) => torch.lerp(x, x.mul(2), 0.25).add(torch.addcmul(x, x, x, { value: 0.5 })), image],
  "view, permute, reshape": [
    (x) => x.permute([0, 2, 3, 1]).reshape([-1, 24, 8]).transpose(1, 2).flatten({ startDim: 1 }),
    image,
  ],
  "batch in front of windows": [
    (x) =>
      x
        .reshape([x.size(0) * 2, 2, 6, 8])
        .softmax(1)
        .view([x.size(0), 4, 6, 8]),
    image,
  ],
  "squeeze, unsqueeze, expand": [
    (x) =>
      x
        .unsqueeze(1)
        .expand([-1, 2, -1, -1, -1])
        .sum({ dim: [1] })
        .add(x.narrow(1, 0, 1)),
    image,
  ],
  "expand over the batch": [
    (x) =>
      torch
        .ones([1, 4, 1])
        .mul(torch.arange(8))
        .expand([x.size(0), 4, 8])
        .add(x.select(2, 1)),
    image,
  ],
  "zeros of the batch": [
    (x) => torch.cat([x, torch.zeros([x.size(0), 2, 6, 8]), torch.full([x.size(0), 1, 6, 8], 3)], { dim: 1 }),
    image,
  ],
  slices: [
    (x) =>
      x
        .index({}, { start: 1 }, { start: 0, end: -1, step: 2 }, 3)
        .add(x.index({}, { start: -3 }, { end: 5, step: 2 }, -1)),
    image,
  ],
  "split, chunk, unbind": [
    (x) =>
      torch.cat(
        [
          ...x.split(3, { dim: 1 }),
          ...x.chunk(2, { dim: 1 }),
          torch.stack(x.unbind({ dim: 1 }).slice(0, 2), { dim: 1 }),
        ],
        { dim: 1 },
      ),
    image,
  ],
  "split by sizes": [
    (x) => torch.cat((torch.aten("split_with_sizes", x, [1, 3], 1) as Tensor[]).reverse(), { dim: 1 }),
    image,
  ],
  "index by a list": [
    (x) => x.index({}, torch.tensor([3n, 0n, 0n])).add(x.indexSelect(1, torch.tensor([1n, 2n, 3n]))),
    image,
  ],
  "index add": [(x) => x.indexAdd(1, torch.tensor([2n, 0n, 2n, 2n]), x, { alpha: 0.5 }), image],
  "roll, flip": [(x) => torch.roll(x, [1, -2], { dims: [2, 3] }).add(torch.flip(x, [1, 3])), image],
  repeat: [(x) => x.repeat([1, 2, 1, 3]), image],
  "constant pad, crop": [
    (x) => torch.constantPadNd(torch.constantPadNd(x, [1, 2, 0, 3], { value: 0.5 }), [-2, 0, 0, -1]),
    image,
  ],
  "constant pad before a pooling": [(x) => torch.maxPool2d(torch.constantPadNd(x.sub(9), [3, 3, 2, 2]), [2, 2]), image],
  "reflect pad": [(x) => nn.functional.pad(x, [1, 2, 2, 1], { mode: "reflect" }), image],
  "pixel shuffle and back": [
    (x) => torch.pixelUnshuffle(torch.pixelShuffle(x, 2), 2).mul(torch.arange(4).view([4, 1, 1])),
    image,
  ],
  im2col: [(x) => torch.aten("im2col", x, [3, 2], [1, 1], [1, 0], [2, 2]) as Tensor, image],
  means: [
    (x) =>
      x
        .mean({ dim: [2, 3], keepdim: true })
        .add(x.sum({ dim: [1], keepdim: true }))
        .add(x.mean()),
    image,
  ],
  variances: [
    (x) => x.var({ dim: [1], unbiased: false, keepdim: true }).add(x.std({ dim: [3], keepdim: true })),
    image,
  ],
  extremes: [
    (x) =>
      x
        .amax({ dim: [1], keepdim: true })
        .add(x.amin({ dim: [3], keepdim: true }))
        .add(x.max())
        .sub(x.min()),
    image,
  ],
  "extremes with places": [
    (x) => (x.max(1)[0] as Tensor).add(x.min(1, { keepdim: false })[1] as Tensor).add(x.argmax({ dim: 1 })),
    image,
  ],
  norms: [(x) => nn.functional.normalize(x, { dim: 1 }).add(x.logsumexp([2], { keepdim: true })), image],
  "in place": [(x) => x.mul(2).add_(1).relu_().mul_(0.5), image],
  "several results": [(x) => [x.relu(), x.mean({ dim: [1] })], image],
  "an input as result": [(x) => x, image],
};

for (const name of [
  "ReLU",
  "ReLU6",
  "LeakyReLU",
  "PReLU",
  "ELU",
  "CELU",
  "SELU",
  "GELU",
  "SiLU",
  "Mish",
  "Hardswish",
  "Hardsigmoid",
  "Hardtanh",
  "Hardshrink",
  "Softshrink",
  "Sigmoid",
  "LogSigmoid",
  "Tanh",
  "Tanhshrink",
  "Softplus",
  "Softsign",
  "GLU",
  "Softmax",
  "Softmin",
  "Softmax2d",
  "LogSoftmax",
]) {
  cases[`nn.${name}`] = [nn.activation(name), image];
}
cases["gelu by tanh"] = [(x) => torch.gelu(x, { approximate: "tanh" }), image];
cases["prelu per channel"] = [new nn.PReLU({ numParameters: 4 }), image];
cases["dropout in evaluation mode"] = [new nn.Sequential(new nn.Dropout(0.5), new nn.Dropout2d(0.5)), image];
