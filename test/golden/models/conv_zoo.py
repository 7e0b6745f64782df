"""Makes the golden files of the convolutional zoo and of AFNO with the reference implementations themselves.

    python test/golden/models/conv_zoo.py PATH_TO_FOURCASTNET

Run with a Python that has torch and mfai (written with torch 2.15, mfai 9.0.1); the argument is a clone of NVlabs/FourCastNet,
of which only networks/afnonet.py is imported. The networks are large, so weights and inputs are not stored: both sides
compute them by one formula from the index of the key and of the element (`fill` here, formula.test-support.ts there).
Each case is a `.pt` file: {"settings", "keys", "shape" of the input (B, H, W, F), "output" in evaluation, "train_output" with
dropout off, "running_mean" of the last batch normalisation after that (where there is one)}.
"""

import math
import sys
import types
from pathlib import Path

import torch
from torch import nn

HERE = Path(__file__).parent
INPUT = 1000  # index of the input in the formula
torch.set_num_threads(1)


def noise(index, shape):
    """Numbers in [0, 1) that look random: frac(43758.5453 sin(12.9898 j + 78.233 index)), j the flat index, in float64."""
    j = torch.arange(math.prod(shape), dtype=torch.float64)
    value = (j * 12.9898 + index * 78.233).sin() * 43758.5453
    return (value - value.floor()).reshape(shape)


def fill(state):
    for index, (key, tensor) in enumerate(state.items()):
        if not tensor.is_floating_point():
            continue
        h = noise(index, tensor.shape)
        if key.endswith("running_var"):
            value = 0.5 + 1.5 * h
        elif tensor.ndim > 1:
            value = (2 * h - 1) * math.sqrt(6 / math.prod(tensor.shape[1:]))
        elif key.endswith("weight"):
            value = 0.5 + h
        else:
            value = 0.2 * (2 * h - 1)
        tensor.copy_(value)


def image(shape):
    return (2 * noise(INPUT, shape) - 1).float()


@torch.no_grad()
def make(name, net, shape, settings):
    fill(net.state_dict())
    x = image(shape).permute(0, 3, 1, 2)
    out = {"settings": settings, "keys": list(net.state_dict()), "shape": list(shape)}
    out["output"] = net.eval()(x).permute(0, 2, 3, 1).contiguous()
    net.train()
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.eval()
    out["train_output"] = net(x).permute(0, 2, 3, 1).contiguous()
    means = [key for key in net.state_dict() if key.endswith("running_mean")]
    if means:
        out["running_mean"] = {means[-1]: net.state_dict()[means[-1]]}
    torch.save(out, HERE / f"{name}.pt")
    return net


def conv_cases():
    from mfai.pytorch.models import deeplabv3, unet
    from mfai.pytorch.models.resnet import get_resnet_encoder

    cases = {
        "unet": (unet.UNet, unet.UNetSettings, 5, 3, (32, 48), dict(init_features=4)),
        "unet_padded": (unet.UNet, unet.UNetSettings, 3, 2, (21, 37), dict(init_features=3, autopad_enabled=True)),
        "customunet18": (unet.CustomUNet, unet.CustomUNetSettings, 4, 2, (33, 50), dict(autopad_enabled=True)),
        "customunet34": (unet.CustomUNet, unet.CustomUNetSettings, 1, 1, (32, 64), dict(encoder_name="resnet34", encoder_depth=3)),
        "customunet50": (unet.CustomUNet, unet.CustomUNetSettings, 3, 2, (32, 48), dict(encoder_name="resnet50", encoder_depth=4)),
        "deeplabv3": (deeplabv3.DeepLabV3, deeplabv3.DeepLabV3Settings, 5, 2, (41, 52),
                      dict(decoder_channels=16, autopad_enabled=True, activation="tanh")),
        "deeplabv3_50": (deeplabv3.DeepLabV3, deeplabv3.DeepLabV3Settings, 3, 2, (32, 40),
                         dict(encoder_name="resnet50", encoder_depth=4, decoder_channels=8)),
        "deeplabv3plus": (deeplabv3.DeepLabV3Plus, deeplabv3.DeepLabV3PlusSettings, 5, 2, (48, 64), dict(decoder_channels=16)),
        "deeplabv3plus_8": (deeplabv3.DeepLabV3Plus, deeplabv3.DeepLabV3PlusSettings, 4, 2, (30, 45),
                            dict(encoder_output_stride=8, decoder_atrous_rates=(2, 3, 5), decoder_channels=12, autopad_enabled=True)),
    }
    for name, (model, settings, inputs, outputs, size, given) in cases.items():
        given = {"autopad_enabled": False, **given}
        kwargs = {"encoder_weights": False, **given} if "unet" not in name or "custom" in name else given
        net = model(inputs, outputs, size, settings(**kwargs))
        make(name, net, (2, *size, inputs), given)

    # The first convolution of pretrained weights for other numbers of input features: four kernels of each.
    adapted = {}
    for inputs in (1, 2, 3, 5):
        encoder = get_resnet_encoder("resnet18", 3, 5, weights=False)
        with torch.no_grad():
            fill({"conv1.weight": encoder.conv1.weight})
        encoder.set_in_channels(inputs, pretrained=True)
        adapted[str(inputs)] = encoder.conv1.weight.detach()[:4].clone()
    torch.save(adapted, HERE / "adapted_colours.pt")


def import_afno(clone):
    """AFNONet without what its file imports and does not need here."""
    timm = types.ModuleType("timm.models.layers")
    timm.DropPath, timm.trunc_normal_ = None, nn.init.trunc_normal_
    arraypad = types.ModuleType("numpy.lib.arraypad")
    arraypad.pad = None
    image_utils = types.ModuleType("utils.img_utils")
    image_utils.PeriodicPad2d = None
    sys.modules.update({
        "timm": types.ModuleType("timm"), "timm.models": types.ModuleType("timm.models"), "timm.models.layers": timm,
        "numpy.lib.arraypad": arraypad, "utils": types.ModuleType("utils"), "utils.img_utils": image_utils,
    })
    sys.path.insert(0, str(Path(clone) / "networks"))
    from afnonet import AFNONet

    return AFNONet


def afno_cases(clone):
    AFNONet = import_afno(clone)

    def network(inputs, outputs, size, settings):
        params = types.SimpleNamespace(
            patch_size=settings["patch_size"], N_in_channels=inputs, N_out_channels=outputs, num_blocks=settings["num_blocks"]
        )
        rest = {k: v for k, v in settings.items() if k not in ("patch_size", "num_blocks")}
        return AFNONet(params, img_size=size, **rest)

    cases = {
        "afno": (5, 3, (24, 40), dict(patch_size=4, num_blocks=4, embed_dim=32, depth=2)),
        "afno_tall": (2, 2, (36, 20), dict(patch_size=4, num_blocks=2, embed_dim=8, depth=2, mlp_ratio=2.0)),
        "afno_few_modes": (3, 2, (32, 24), dict(patch_size=2, num_blocks=2, embed_dim=16, depth=1,
                                                hard_thresholding_fraction=0.5, sparsity_threshold=0.05)),
    }
    for name, (inputs, outputs, size, settings) in cases.items():
        net = make(name, network(inputs, outputs, size, settings), (2, *size, inputs), settings)
        if name == "afno_tall":  # as the training script saves it, from a network inside DistributedDataParallel
            state = {f"module.{key}": value for key, value in net.state_dict().items()}
            state["module.ged"] = torch.zeros(1)
            torch.save({"iters": 7, "epoch": 1, "model_state": state, "optimizer_state_dict": {}}, HERE / "fourcastnet.tar")


if __name__ == "__main__":
    conv_cases()
    afno_cases(sys.argv[1])
