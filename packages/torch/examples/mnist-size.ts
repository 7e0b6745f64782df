import * as torch from "@foehn/torch";

const { nn, optim } = torch;
torch.manualSeed(0);
const patterns = torch.randn([10, 1, 28, 28]); // one picture per class …
const labels = torch.randint(0, 10, [2048]);
const images = patterns.indexSelect(0, labels).add(torch.randn([2048, 1, 28, 28]), { alpha: 2 }); // … seen through noise

const conv = (from: number, to: number) => new nn.Conv2d(from, to, 3, { stride: 2, padding: 1 });
const features = new nn.Sequential(conv(1, 8), new nn.BatchNorm2d(8), new nn.ReLU(), conv(8, 16), new nn.ReLU());
const model = new nn.Sequential({ features, flatten: new nn.Flatten(), head: new nn.Linear(16 * 7 * 7, 10) });
const optimizer = new optim.AdamW(model.parameters(), { lr: 1e-3 });

for (let step = 1; step <= 100; step++) {
  const loss = torch.scope(() => {
    const batch = torch.randint(0, 2048, [64]);
    const loss = nn.functional.crossEntropy(model.forward(images.indexSelect(0, batch)), labels.indexSelect(0, batch));
    optimizer.zeroGrad();
    loss.backward();
    optimizer.step();
    return loss.item();
  });
  if (step % 20 === 0) console.log(`step ${step}: loss ${loss.toFixed(3)}`);
}
const guess = torch.noGrad(() => model.eval().forward(images).argmax({ dim: 1 }));
console.log(`accuracy ${guess.eq(labels).float().mean().item()}`);
torch.safetensors.save("mnist-size.safetensors", model.stateDict()); // Python: safetensors.torch.load_file(…)
