"""Makes fairseq importable today.

Set FAIRSEQ to a checkout of https://github.com/facebookresearch/fairseq at COMMIT. Nothing of it is
built or changed: what Python 3.11 and the absence of torchvision and timm break is bridged here.
"""

import dataclasses
import os
import sys
import types

import common  # noqa: F401  first: it lets torchaudio's absence pass

import hydra  # noqa: F401
import numpy as np
import omegaconf  # noqa: F401
import sklearn  # noqa: F401
from funasr_reference import timm_modules

COMMIT = "3d262bb25690e4eb2e7d3c1309b1e9c406ca4b99"
ROOT = os.environ.get("FAIRSEQ")
if not ROOT:
    sys.exit(f"set FAIRSEQ to a checkout of fairseq at {COMMIT}")
sys.path.insert(0, ROOT)

for name, kind in (("float", float), ("int", int), ("bool", bool), ("object", object)):
    if name not in np.__dict__:
        setattr(np, name, kind)

plain_dataclass = dataclasses.dataclass


def dataclass(cls=None, **options):
    """Python 3.11 refuses defaults that cannot be hashed, which fairseq's configurations are."""

    def wrap(cls):
        theirs = cls.__module__.split(".")[0] in ("fairseq", "examples")
        return plain_dataclass(cls, **({**options, "unsafe_hash": True} if theirs else options))

    return wrap if cls is None else wrap(cls)


def module(name, path=None, **members):
    made = types.ModuleType(name)
    made.__dict__.update(members)
    if path is not None:
        made.__path__ = [path]
    sys.modules[name] = made
    return made


dataclasses.dataclass = dataclass
import fairseq  # noqa: E402,F401

dataclasses.dataclass = plain_dataclass
dataclasses.dataclass = dataclass
# The package's own __init__ files import the image tasks, which need torchvision.
module("examples.data2vec.data", f"{ROOT}/examples/data2vec/data")
module("examples.data2vec.models", f"{ROOT}/examples/data2vec/models")
# FunASR carries timm's Mlp and DropPath.
module("timm", "")
module("timm.models", "")
module("timm.models.layers", to_2tuple=lambda x: (x, x))
module("timm.models.vision_transformer", DropPath=timm_modules.DropPath, Mlp=timm_modules.Mlp, PatchEmbed=None, Block=None)
VERSIONS = {"fairseq": COMMIT}
