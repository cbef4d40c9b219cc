"""What the scripts of this folder share."""

import json
import sys

import numpy
import torch

# torchaudio refuses to load beside a torch built for another CUDA; only its CPU functions are used here.
torch.version.cuda = None
import torchaudio  # noqa: E402

torch.set_num_threads(1)


def versions():
    return {
        "versions": {
            "python": sys.version.split()[0],
            "numpy": numpy.__version__,
            "torch": torch.__version__,
            "torchaudio": torchaudio.__version__,
        }
    }


def write_json(path, value):
    path.write_text(json.dumps(value, indent=1) + "\n")
