"""Logits and gradients of every head, alone and on a learnt sum of layers, by PyTorch's autograd.

    /opt/parity/bin/python parity/probe/torch_heads.py

writes crates/probe/tests/golden/torch_heads.safetensors. Weights are flat, in the order of
`Head::layout`; features are random, `[layer, frame, dim]`, one utterance after the other.
"""

import pathlib
import sys

import numpy as np
import safetensors.numpy
import torch

OUT = pathlib.Path(__file__).resolve().parents[2] / "crates/probe/tests/golden/torch_heads.safetensors"
LAYERS, DIM, HIDDEN, CLASSES, ATTENTION = 3, 8, 6, 3, 64
FRAMES, LABELS, FLOOR = [1, 5, 9, 41], [0, 2, 1, 2], 1e-5


def mean(z, _):
    return z.mean(dim=0)


def statistics(z, _):
    return torch.cat([z.mean(dim=0), (z.var(dim=0, unbiased=False) + FLOOR).sqrt()])


def attentive(z, own):
    weight, bias, vector = own
    alpha = torch.softmax(torch.tanh(z @ weight.T + bias) @ vector, dim=0)[:, None]
    centre = (alpha * z).sum(dim=0)
    return torch.cat([centre, ((alpha * (z - centre) ** 2).sum(dim=0) + FLOOR).sqrt()])


ATTENTIVE = [(ATTENTION, HIDDEN), (ATTENTION,), (ATTENTION,)]
HEADS = {
    "linear-relu-mean-linear": (True, mean, [], HIDDEN),
    "linear-relu-statistics-linear": (True, statistics, [], 2 * HIDDEN),
    "linear-relu-attention-linear": (True, attentive, ATTENTIVE, 2 * HIDDEN),
    "mean-linear": (False, mean, [], DIM),
}


def main():
    generator = torch.Generator().manual_seed(1)
    random = lambda *shape: torch.randn(*shape, generator=generator)
    utterances = [random(LAYERS, frames, DIM) for frames in FRAMES]
    golden = {"features": torch.cat([u.flatten() for u in utterances]).numpy()}
    for name, (has_hidden, pool, own, pooled) in HEADS.items():
        for layers in (1, LAYERS):
            shapes = [(LAYERS,)] if layers > 1 else []
            shapes += [(HIDDEN, DIM), (HIDDEN,)] if has_hidden else []
            shapes += own + [(CLASSES, pooled), (CLASSES,)]
            weights = [(0.5 * random(*shape)).requires_grad_() for shape in shapes]
            rest = list(weights)
            shares = torch.softmax(rest.pop(0), dim=0) if layers > 1 else None
            logits = []
            parts = [rest[2 if has_hidden else 0 :][i] for i in range(len(own))]
            for x in utterances:
                x = x[0] if shares is None else (shares[:, None, None] * x).sum(dim=0)
                z = torch.relu(x @ rest[0].T + rest[1]) if has_hidden else x
                logits.append(rest[-2] @ pool(z, parts) + rest[-1])
            logits = torch.stack(logits)
            torch.nn.functional.cross_entropy(logits, torch.tensor(LABELS)).backward()
            flat = lambda tensors: torch.cat([t.detach().flatten() for t in tensors]).numpy()
            golden[f"{name}.{layers}.weights"] = flat(weights)
            golden[f"{name}.{layers}.gradient"] = flat([w.grad for w in weights])
            golden[f"{name}.{layers}.logits"] = logits.detach().flatten().numpy()
    made_by = f"parity/probe/torch_heads.py with Python {sys.version.split()[0]}, torch {torch.__version__}"
    safetensors.numpy.save_file({k: np.ascontiguousarray(v) for k, v in golden.items()}, OUT, {"made-by": made_by})
    OUT.chmod(0o644)
    print(f"{OUT}: {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
