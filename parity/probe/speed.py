"""The whole sweep of one fold: emobox beside PyTorch running the recipe's head four times.

    cargo build --release -p emobox-probe --example speed
    /opt/parity/bin/python parity/probe/speed.py [--dims 768 1280] [--rounds 5] [--npy]

Same synthetic features, same work an epoch (train, score the validation part, score the test part, all
four sweep points), both programs on both cores, taking turns. PyTorch has its features in memory as f32
tensors and pads a batch with `pad_sequence`, as the recipe's loader does; with `--npy` it reads one .npy
file an utterance, point and epoch (from a warm file cache), which is the published way. emobox reads f16.
Prints the medians and their ratio.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import numpy as np
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
BATCH, CLASSES = 32, 4
POINTS = [(rate, hidden) for rate in (1e-3, 1e-4) for hidden in (128, 256)]


class Head(torch.nn.Module):
    """The recipe's: linear, ReLU, mean over valid frames, linear."""

    def __init__(self, dim, hidden):
        super().__init__()
        self.hidden = torch.nn.Linear(dim, hidden)
        self.output = torch.nn.Linear(hidden, CLASSES)

    def forward(self, x, mask):
        x = torch.relu(self.hidden(x)) * mask.unsqueeze(-1)
        return self.output(x.sum(dim=1) / mask.sum(dim=1, keepdim=True))


def make(folder, dim, utterances):
    """Utterances of 4 s on average (log-normal, 0.7 to 15 s) at 50 Hz, 60/20/20."""
    random = np.random.default_rng(1)
    lengths = np.clip(random.lognormal(np.log(3.5), 0.5, utterances), 0.7, 15) * 50
    lengths = lengths.astype(int)
    labels = random.integers(0, CLASSES, utterances)
    roles = ["train" if at % 5 < 3 else "valid" if at % 5 == 3 else "test" for at in range(utterances)]
    features = []
    with open(folder / "features.f16", "wb") as out:
        for at, frames in enumerate(lengths):
            x = random.standard_normal((frames, dim), dtype=np.float32)
            x[:, labels[at] :: CLASSES] += 0.05
            x = x.astype(np.float16)
            out.write(x.tobytes())
            features.append(x.astype(np.float32))
            np.save(folder / f"{at}.npy", features[-1])
    lines = [f"{f}\t{l}\t{r}\n" for f, l, r in zip(lengths, labels, roles)]
    (folder / "items.tsv").write_text("".join(lines))
    return [torch.from_numpy(x) for x in features], labels, roles


def batches(rows, fetch, labels):
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        frames = [fetch(at) for at in part]
        x = torch.nn.utils.rnn.pad_sequence(frames, batch_first=True)
        lengths = torch.tensor([len(f) for f in frames])
        mask = (torch.arange(x.shape[1])[None, :] < lengths[:, None]).float()
        yield x, mask, torch.tensor([int(labels[at]) for at in part])


def torch_epoch(models, parts, fetch, labels):
    """One epoch of each of the four points, one after the other."""
    start = time.perf_counter()
    for head, optimiser in models:
        order = np.random.default_rng(2).permutation(parts["train"])
        for x, mask, target in batches(order, fetch, labels):
            loss = torch.nn.functional.cross_entropy(head(x, mask), target)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(head.parameters(), 5.0)
            optimiser.step()
        with torch.no_grad():
            for part in ("valid", "test"):
                for x, mask, target in batches(parts[part], fetch, labels):
                    head(x, mask).argmax(dim=1)
    return time.perf_counter() - start


def emobox_epoch(folder, dim, threads):
    """The faster of an epoch's times after the first, which also checks every number."""
    program = ROOT / "target/release/examples/speed"
    command = [program, folder, str(dim), "3", str(threads)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return statistics.median(json.loads(out)[1:])


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--dims", type=int, nargs="+", default=[768, 1280])
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--utterances", type=int, default=400)
    arguments.add_argument("--threads", type=int, default=os.cpu_count())
    arguments.add_argument("--npy", action="store_true")
    arguments = arguments.parse_args()
    torch.set_num_threads(arguments.threads)
    print(f"torch {torch.__version__}, {arguments.threads} threads, load {os.getloadavg()[0]:.1f}")
    for dim in arguments.dims:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            features, labels, roles = make(folder, dim, arguments.utterances)
            frames = sum(len(f) for f, role in zip(features, roles))
            parts = {r: [at for at, role in enumerate(roles) if role == r] for r in ("train", "valid", "test")}
            models = []
            for rate, hidden in POINTS:
                head = Head(dim, hidden)
                models.append((head, torch.optim.Adam(head.parameters(), lr=rate)))
            ways = {"in memory": lambda at: features[at]}
            if arguments.npy:
                ways["from .npy"] = lambda at: torch.from_numpy(np.load(folder / f"{at}.npy"))
            times = {name: [] for name in [*ways, "emobox"]}
            for _ in range(arguments.rounds):
                for name, fetch in ways.items():
                    times[name].append(torch_epoch(models, parts, fetch, labels))
                times["emobox"].append(emobox_epoch(folder, dim, arguments.threads))
            ours = statistics.median(times["emobox"])
            for name, seconds in times.items():
                median = statistics.median(seconds)
                print(
                    f"{dim} dims, {name:10}: {median:7.3f} s an epoch, {frames / median / 1000:7.1f} k frames/s, "
                    f"{median / ours:5.2f} x emobox  ({min(seconds):.3f} to {max(seconds):.3f})"
                )


if __name__ == "__main__":
    main()
