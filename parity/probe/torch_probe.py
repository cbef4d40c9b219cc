"""Trains the recipe's head in PyTorch on a small real feature set and writes what emobox is held against.

    /opt/parity/bin/python parity/probe/torch_probe.py

writes crates/probe/tests/golden/torch_probe.safetensors: features, initial weights, batch order,
gradients of the first step, and 20 epochs of losses for each of the four sweep points.

Features: the last hidden state of whisper-tiny.en on 40 EmoDB utterances (every 13th file), every third
frame, projected to 24 dimensions by a random orthonormal map, each standardised over all frames, then
layer-normalised over the utterance and rounded to f16, so that the file stays small and both sides read
the same numbers. Batches of 7 leave a last one of 5.
"""

import pathlib
import sys

import numpy as np
import safetensors.numpy
import soundfile
import torch

# torchaudio refuses to load beside a PyTorch built for another CUDA; nothing here runs on one.
torch.version.cuda = None
import transformers  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
OUT = ROOT / "crates/probe/tests/golden/torch_probe.safetensors"
UTTERANCES, DIM, EPOCHS, WARMUP, BATCH, CLIP = 40, 24, 20, 10, 7, 5.0
RATES, HIDDEN = (1e-3, 1e-4), (128, 256)


def features():
    """Lengths, labels and frames `[frame, dim]` of all utterances, f16."""
    folder = SHARED / "weights/whisper-tiny.en"
    model = transformers.WhisperModel.from_pretrained(folder, dtype=torch.float32)
    assert (model.encoder.conv1.weight.std() > 0.05) and model.encoder.layer_norm.weight.std() > 0.05, "weights were not read"
    model = model.encoder.eval()
    extract = transformers.WhisperFeatureExtractor.from_pretrained(folder)
    generator = torch.Generator().manual_seed(1)
    random = torch.randn(model.config.d_model, DIM, generator=generator)
    projection = torch.linalg.qr(random).Q * model.config.d_model**0.5
    paths = sorted((SHARED / "corpora/emodb").rglob("*.wav"))[::13][:UTTERANCES]
    codes = sorted({path.stem[5] for path in paths})
    frames, lengths, labels = [], [], []
    for path in paths:
        samples, rate = soundfile.read(path, dtype="float32")
        assert rate == 16_000
        mel = extract(samples, sampling_rate=rate, return_tensors="pt").input_features
        with torch.no_grad():
            hidden = model(mel).last_hidden_state[0, : len(samples) // 320 : 3]
        frames.append(hidden @ projection)
        lengths.append(len(hidden))
        labels.append(codes.index(path.stem[5]))
    deviation, mean = torch.std_mean(torch.cat(frames), dim=0)
    frames = [(x - mean) / deviation for x in frames]
    frames = [torch.nn.functional.layer_norm(x, x.shape).half() for x in frames]
    return frames, lengths, labels, len(codes)


class Head(torch.nn.Module):
    """Linear, ReLU, mean over valid frames, linear."""

    def __init__(self, hidden, classes):
        super().__init__()
        self.hidden = torch.nn.Linear(DIM, hidden)
        self.output = torch.nn.Linear(hidden, classes)

    def forward(self, x, mask):
        x = torch.relu(self.hidden(x)) * mask.unsqueeze(-1)
        return self.output(x.sum(dim=1) / mask.sum(dim=1, keepdim=True))


def rate_of(epoch, maximum):
    """emobox's schedule, `Protocol::learning_rate`."""
    if epoch <= WARMUP:
        return maximum * epoch / WARMUP
    return maximum * (EPOCHS + 1 - epoch) / (EPOCHS + 1 - WARMUP)


def main():
    frames, lengths, labels, classes = features()
    order = np.stack([np.random.default_rng(epoch).permutation(UTTERANCES) for epoch in range(EPOCHS)])
    golden = {
        "features": torch.cat(frames).numpy(),
        "lengths": np.array(lengths, np.int32),
        "labels": np.array(labels, np.int32),
        "order": order.astype(np.int32),
    }
    losses = []
    for maximum in RATES:
        for hidden in HIDDEN:
            torch.manual_seed(hidden)
            head = Head(hidden, classes)
            with torch.no_grad():
                for parameter in head.parameters():
                    parameter.copy_(parameter.half())
            flat = torch.cat([p.detach().flatten() for p in head.parameters()])
            golden[f"initial.{hidden}"] = flat.half().numpy()
            optimiser = torch.optim.Adam(head.parameters(), lr=maximum)
            curve = []
            for epoch in range(1, EPOCHS + 1):
                for group in optimiser.param_groups:
                    group["lr"] = rate_of(epoch, maximum)
                total = 0.0
                for start in range(0, UTTERANCES, BATCH):
                    rows = order[epoch - 1][start : start + BATCH]
                    x = torch.nn.utils.rnn.pad_sequence([frames[r].float() for r in rows], batch_first=True)
                    steps = torch.arange(x.shape[1])[None, :]
                    mask = (steps < torch.tensor([lengths[r] for r in rows])[:, None]).float()
                    target = torch.tensor([labels[r] for r in rows])
                    loss = torch.nn.functional.cross_entropy(head(x, mask), target)
                    optimiser.zero_grad()
                    loss.backward()
                    if epoch == 1 and start == 0:
                        gradient = torch.cat([p.grad.flatten() for p in head.parameters()])
                        golden[f"gradient.{hidden}"] = gradient.numpy().copy()
                    torch.nn.utils.clip_grad_norm_(head.parameters(), CLIP)
                    optimiser.step()
                    total += loss.item() * len(rows)
                curve.append(total / UTTERANCES)
            losses.append(curve)
    golden["losses"] = np.array(losses, np.float64)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    versions = {
        "made-by": f"parity/probe/torch_probe.py with Python {sys.version.split()[0]}, torch {torch.__version__}, "
        f"transformers {transformers.__version__}, numpy {np.__version__}",
    }
    safetensors.numpy.save_file({k: np.ascontiguousarray(v) for k, v in golden.items()}, OUT, versions)
    OUT.chmod(0o644)
    print(f"{OUT}: {OUT.stat().st_size} bytes, {classes} classes, {sum(lengths)} frames")
    for curve in losses:
        print(" ".join(f"{loss:.4f}" for loss in curve[:3] + curve[-2:]))


if __name__ == "__main__":
    main()
