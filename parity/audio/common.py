"""What the scripts of this folder share."""

import json
import pathlib
import sys

import numpy
import torch

# torchaudio refuses to load beside a torch built for another CUDA; only its CPU functions are used here.
torch.version.cuda = None
import torchaudio  # noqa: E402

torch.set_num_threads(1)

ROOT = pathlib.Path(__file__).parents[2]
GOLDEN = ROOT / "crates/audio/tests/golden"
SHARED = ROOT.parent / "shared"


def noise(seed, length):
    """16-bit white noise that tests/common/mod.rs makes too (Knuth's MMIX generator)."""
    state, values = seed, numpy.empty(length, numpy.int16)
    for i in range(length):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        values[i] = (state >> 48) - 32768
    return values


def positions(length, count=64):
    """Where a long result is sampled: evenly, ends included."""
    return [i * (length - 1) // (count - 1) for i in range(count)]


def write_golden(name, script, value, **more_versions):
    versions = {
        "python": sys.version.split()[0],
        "numpy": numpy.__version__,
        "torch": torch.__version__,
        "torchaudio": torchaudio.__version__,
        **more_versions,
    }
    text = json.dumps({"made_by": f"parity/audio/{script}", "versions": versions, **value}, indent=None)
    (GOLDEN / name).write_text(text.replace("}, {", "},\n{") + "\n")
