"""An epoch of the paper's head in PyTorch, on the same card as emobox's: step 6 of tools/gpu/check.sh.

    python3 tools/gpu/torch_probe.py LENGTHS DIM,DIM [cpu]

LENGTHS has the frames of an utterance a line; of five utterances three are trained on, one is validation, one test. Features are random, bf16, in
device memory from the start, one tensor of all frames. The four points of the sweep go through one product, compiled with
`torch.compile`; a batch is gathered by indices and padded to its longest utterance (to a multiple of 64, so that few shapes are compiled); products
are of bf16, sums and Adam (fused) f32; every point's gradient is clipped by its own norm. For each width a line of JSON: the
seconds of the epochs after the first two, which compile. Every epoch trains, and scores the validation and test parts, as emobox's do.
"""

import json
import pathlib
import sys
import time

import torch

LENGTHS = [int(line) for line in pathlib.Path(sys.argv[1]).read_text().split()]
DIMS = [int(dim) for dim in sys.argv[2].split(",")]
CPU = sys.argv[3:] == ["cpu"]
DEVICE = "cpu" if CPU else "cuda"
BATCH, CLASSES, EPOCHS = 32, 4, 4 if CPU else 7
POINTS = [(rate, hidden) for rate in (1e-3, 1e-4) for hidden in (128, 256)]
if CPU:
    # A build of PyTorch for cards asks their driver, which is not there.
    torch.cuda.is_current_stream_capturing = lambda: False


class Sweep(torch.nn.Module):
    """Linear, ReLU, mean over valid frames, linear: all points side by side."""

    def __init__(self, dim):
        super().__init__()
        self.hidden = torch.nn.ModuleList(torch.nn.Linear(dim, hidden) for _, hidden in POINTS)
        self.output = torch.nn.ModuleList(torch.nn.Linear(hidden, CLASSES) for _, hidden in POINTS)

    def forward(self, x, mask):
        weight = torch.cat([layer.weight for layer in self.hidden]).to(x.dtype)
        bias = torch.cat([layer.bias for layer in self.hidden]).to(x.dtype)
        z = torch.relu(torch.nn.functional.linear(x, weight, bias)) * mask.unsqueeze(-1).to(x.dtype)
        mean = z.sum(dim=1, dtype=torch.float32) / mask.sum(dim=1, keepdim=True)
        parts = mean.split([hidden for _, hidden in POINTS], dim=1)
        return torch.stack([layer(part) for layer, part in zip(self.output, parts)])


def epochs(dim):
    torch.manual_seed(1)
    rows = torch.tensor([0, *LENGTHS]).cumsum(0)[:-1].to(DEVICE)
    lengths = torch.tensor(LENGTHS, device=DEVICE)
    features = torch.randn(sum(LENGTHS), dim, device=DEVICE, dtype=torch.bfloat16)
    labels = torch.randint(0, CLASSES, (len(LENGTHS),), device=DEVICE)
    parts = {part: [at for at in range(len(LENGTHS)) if at % 5 in of] for part, of in (("train", (0, 1, 2)), ("valid", (3,)), ("test", (4,)))}
    model = Sweep(dim).to(DEVICE)
    own = [[*hidden.parameters(), *output.parameters()] for hidden, output in zip(model.hidden, model.output)]
    groups = [{"params": parameters, "lr": rate} for parameters, (rate, _) in zip(own, POINTS)]
    optimiser = torch.optim.Adam(groups, fused=not CPU)
    forward = torch.compile(model, dynamic=True)

    def batches(order, size):
        for start in range(0, len(order), size):
            here = order[start : start + size]
            longest = -(-max(LENGTHS[at] for at in here) // 64) * 64
            index = torch.tensor(here, device=DEVICE)
            steps = torch.arange(longest, device=DEVICE)
            mask = steps[None, :] < lengths[index, None]
            at = rows[index, None] + torch.minimum(steps[None, :], lengths[index, None] - 1)
            yield features[at], mask, labels[index]

    def finish():
        if not CPU:
            torch.cuda.synchronize()

    seconds = []
    for epoch in range(EPOCHS):
        begun = time.perf_counter()
        order = torch.randperm(len(parts["train"]), generator=torch.Generator().manual_seed(epoch))
        total = torch.zeros((), device=DEVICE)
        for x, mask, target in batches([parts["train"][at] for at in order], BATCH):
            logits = forward(x, mask)
            loss = sum(torch.nn.functional.cross_entropy(one, target) for one in logits)
            optimiser.zero_grad()
            loss.backward()
            for parameters in own:
                torch.nn.utils.clip_grad_norm_(parameters, 5.0)
            optimiser.step()
            total += loss.detach()
        with torch.no_grad():
            for part in ("valid", "test"):
                said = [forward(x, mask).argmax(dim=2) for x, mask, _ in batches(parts[part], 256)]
                torch.cat(said, dim=1).cpu()
        total.item()
        finish()
        seconds.append(time.perf_counter() - begun)
    return seconds[2:]


for dim in DIMS:
    print(json.dumps({"dim": dim, "torch": torch.__version__, "seconds": epochs(dim)}), flush=True)
