"""Plug `EmoDataset` into a `torch.utils.data.DataLoader` and train a small network. Needs torch.

    python python/tutorials/data_loader.py                              the synthetic demo corpus
    python python/tutorials/data_loader.py emodb EMOBOX EMOBOX/data     a copy of the published repository with downloads/
"""

import json
import sys
from pathlib import Path

import emobox
import torch
from emobox import EmoDataset, EmoEval
from torch import nn
from torch.utils.data import DataLoader


def demo_lists(folder: Path) -> tuple[str, Path, Path]:
    """The demo corpus as the published tool lays corpora out: lists of every fold, and a label map."""
    manifest = emobox.prepare("demo", emobox.demo_corpus(folder / "recordings"), home=folder / "home")
    folds = emobox.partition(manifest, "speaker")
    meta = folder / "data/demo"
    for fold in range(1, folds.folds + 1):
        for role in ("train", "test"):
            path = meta / f"fold_{fold}/demo_{role}_fold_{fold}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            folds.select(manifest, fold, role).write(path)
    (meta / "label_map.json").write_text(json.dumps({u.emo: u.label for u in manifest}))
    return "demo", Path(manifest.root or "."), folder / "data"


def collate(examples: list) -> tuple[list[str], torch.Tensor, torch.Tensor, list[str]]:
    """Recordings differ in length: padded with zeros, with their lengths beside them."""
    lengths = torch.tensor([len(example["audio"]) for example in examples])
    audio = nn.utils.rnn.pad_sequence([torch.from_numpy(e["audio"]) for e in examples], batch_first=True)
    return [e["key"] for e in examples], audio, lengths, [e["label"] for e in examples]


class Network(nn.Module):
    """Log-energies of 40 bands of a spectrogram, their mean and spread over time, two linear layers."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.LayerNorm(80), nn.Linear(80, 64), nn.ReLU(), nn.Linear(64, classes))

    def forward(self, audio: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        spectrum = torch.stft(audio, 400, 160, window=torch.hann_window(400), return_complex=True).abs()
        bands = nn.functional.adaptive_avg_pool1d(spectrum.transpose(1, 2), 40).add(1e-5).log()
        vectors = []
        for one, length in zip(bands, lengths):
            frames = one[: 1 + int(length) // 160]
            vectors.append(torch.cat([frames.mean(0), frames.std(0)]))
        return self.layers(torch.stack(vectors))


torch.manual_seed(0)
if len(sys.argv) == 4:
    dataset, user_data_dir, meta_data_dir = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
else:
    dataset, user_data_dir, meta_data_dir = demo_lists(Path("emobox-tutorial"))

train = EmoDataset(dataset, user_data_dir, meta_data_dir, fold=1, split="train")
test = EmoDataset(dataset, user_data_dir, meta_data_dir, fold=1, split="test")
classes = train.classes
model = Network(len(classes))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(10):
    for _, audio, lengths, labels in DataLoader(train, batch_size=16, shuffle=True, collate_fn=collate):
        targets = torch.tensor([classes.index(label) for label in labels])
        loss = nn.functional.cross_entropy(model(audio, lengths), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

predictions, targets = [], []
model.eval()
with torch.no_grad():
    for keys, audio, lengths, labels in DataLoader(test, batch_size=16, collate_fn=collate):
        best = model(audio, lengths).argmax(dim=1)
        predictions += [{"key": key, "pred": classes[one]} for key, one in zip(keys, best)]
        targets += [{"key": key, "label": label} for key, label in zip(keys, labels)]
scores = EmoEval(predictions, targets).compute_metrics()
print(scores["report"])
print(f"UA {scores['ua']:.4f}  WA {scores['wa']:.4f}  on {scores['num']} recordings of fold 1")
