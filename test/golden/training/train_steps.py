"""Makes the golden files of training: two AdamW steps in PyTorch, written out from the formulas and not from Foehn's code.

    /usr/bin/python3 test/golden/training/train_steps.py

Written with torch 1.13.1 on the CPU in float32. Each case is a `.pt` file with its options, the data of its batches, the
network's first weights, the loss of every step and the last weights.
"""

import sys
from pathlib import Path

import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "models"))
from half_unet import DEFAULTS, HalfUNet  # noqa: E402

H = W = 16
FEATURES, STATICS = 2, 1
BATCH, PRED, STEPS = 2, 2, 2
BORDER = 2


def make(name, strategy, loss, inputs, inter, clip, names=("u", "v"), forcing=("f",)):
    torch.manual_seed(3)
    settings = {**DEFAULTS, "num_filters": 2}
    downscaling = strategy == "downscaling_only"
    past = 0 if downscaling else inputs
    # The forcing that each feature starts from: the same name but for its first part.
    common = [[f.split("_")[1:] for f in forcing].index(v.split("_")[1:]) for v in names] if downscaling else []
    net = HalfUNet(past * FEATURES + STATICS + len(forcing), FEATURES, settings, H, W).train()
    first = {k: v.clone() for k, v in net.state_dict().items()}
    statics = torch.rand(H, W, STATICS)
    border = torch.ones(H, W, 1)
    border[BORDER:-BORDER, BORDER:-BORDER] = 0
    inside = 1 - border
    weight = torch.tensor([1.0, 2.0])
    mu, sigma = torch.tensor([0.01, -0.02]), torch.tensor([0.3, 0.5])
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2, betas=(0.9, 0.95), weight_decay=0.01)
    batches, losses = [], []
    for _ in range(STEPS):
        x = torch.randn(BATCH, inputs, H, W, FEATURES)
        t = torch.randn(BATCH, PRED, H, W, FEATURES)
        f = torch.randn(BATCH, PRED, H, W, len(forcing))
        batches.append(dict(inputs=x, outputs=t, forcing=f))
        states = list(x.unbind(1))
        total = 0
        for i in range(PRED):
            for _ in range(inter):
                seen = [] if downscaling else states
                y = net(torch.cat(seen + [statics.expand(BATCH, H, W, STATICS), f[:, i]], -1))
                if strategy == "scaled_ar":
                    new = border * t[:, i] + inside * (states[-1] + y * sigma + mu)
                elif downscaling:
                    new = f[:, i][..., common] + y
                else:
                    new = states[-1] + y
                states = states[1:] + [new]
            error = (states[-1] - t[:, i]).abs()
            per_feature = error**2 / sigma**2 if loss == "mse" else error / sigma
            total = total + ((per_feature * weight).sum(-1, keepdim=True) * inside).sum((1, 2, 3)) / inside.sum()
        value = (total / PRED).mean()
        optimizer.zero_grad()
        value.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
        optimizer.step()
        losses.append(value.item())
    torch.save(
        dict(
            options=dict(strategy=strategy, loss=loss, num_input_steps=inputs, num_inter_steps=inter, clip=clip),
            names=list(names),
            forcing=list(forcing),
            settings=settings,
            first=first,
            last=net.state_dict(),
            statics=statics,
            border=border,
            weight=weight,
            diff_mean=mu,
            diff_std=sigma,
            batches=batches,
            losses=losses,
        ),
        HERE / f"{name}.pt",
    )


if __name__ == "__main__":
    make("scaled_ar", "scaled_ar", "mse", inputs=2, inter=1, clip=0.5)
    make("diff_ar", "diff_ar", "mae", inputs=2, inter=1, clip=None)
    make("inter_steps", "scaled_ar", "mse", inputs=1, inter=3, clip=None)
    coarse = dict(names=("aro_u_10m", "aro_v_10m"), forcing=("arp_v_10m", "sun", "arp_u_10m"))
    make("downscaling_only", "downscaling_only", "mse", inputs=1, inter=1, clip=None, **coarse)
