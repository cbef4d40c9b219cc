"""Makes FunASR's emotion2vec importable without the rest of FunASR (`pip install --no-deps funasr`)."""

import importlib.metadata
import importlib.util
import pathlib
import sys
import types

import common  # noqa: F401

ROOT = pathlib.Path(importlib.util.find_spec("funasr").origin).parent
# The package's own __init__ imports every model, and those their many needs.
for name in ("funasr", "funasr.models", "funasr.models.emotion2vec", "funasr.utils"):
    package = types.ModuleType(name)
    package.__path__ = [str(ROOT.joinpath(*name.split(".")[1:]))]
    sys.modules[name] = package
loading = types.ModuleType("funasr.utils.load_utils")
loading.load_audio_text_image_video = None
sys.modules["funasr.utils.load_utils"] = loading

from funasr.models.emotion2vec import timm_modules  # noqa: E402,F401
from funasr.models.emotion2vec.model import Emotion2vec  # noqa: E402,F401

VERSIONS = {"funasr": importlib.metadata.version("funasr")}
