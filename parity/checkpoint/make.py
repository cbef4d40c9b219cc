"""Writes the golden checkpoints of crates/checkpoint/tests/golden.

    pip install -r parity/checkpoint/requirements.txt   # and torch, numpy
    python parity/checkpoint/make.py crates/checkpoint/tests/golden

Every file is tiny and seeded. `expected.json` holds, for each file, what PyTorch itself reads back: shapes,
element types and values of the tensors under their dotted names, and the configurations. The classes of fairseq are
stood in for by empty modules of the same names, which is all that a pickle records of a class.

The hostile files call `os.system` and others with harmless arguments; this script never loads them.
"""

import argparse
import collections
import enum
import io
import json
import os
import pathlib
import pickle
import platform
import subprocess
import sys
import types
import zipfile

import numpy
import omegaconf
import torch


def stand_in(module_name, class_name, **members):
    """A class that pickles as `module_name.class_name`."""
    parts = module_name.split(".")
    for depth in range(1, len(parts) + 1):
        sys.modules.setdefault(".".join(parts[:depth]), types.ModuleType(".".join(parts[:depth])))
    cls = type(class_name, (), members)
    cls.__module__ = module_name
    setattr(sys.modules[module_name], class_name, cls)
    return cls


Dictionary = stand_in("fairseq.data.dictionary", "Dictionary")
AverageMeter = stand_in("fairseq.meters", "AverageMeter")


class Modality(enum.Enum):
    AUDIO = 1
    IMAGE = 2

    def __reduce_ex__(self, protocol):
        # As Python up to 3.10 and from 3.12 on does it, in which the published checkpoints were written.
        return self.__class__, (self.value,)


stand_in("examples.data2vec.data.modality", "Placeholder")
Modality.__module__ = "examples.data2vec.data.modality"
Modality.__qualname__ = "Modality"
sys.modules["examples.data2vec.data.modality"].Modality = Modality


def small(*shape, dtype=torch.float32):
    return torch.randn(*shape).to(dtype)


def types_of_elements():
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    state = model.state_dict()  # an OrderedDict with an attribute, `_metadata`
    for dtype in [torch.float64, torch.float16, torch.bfloat16]:
        state[f"half.{str(dtype)[6:]}"] = small(3, 2, dtype=dtype)
    for dtype in [torch.int64, torch.int32, torch.int16, torch.int8]:
        state[f"integer.{str(dtype)[6:]}"] = torch.tensor([-3, 0, 5, 100], dtype=dtype)
    state["integer.uint8"] = torch.tensor([0, 3, 255], dtype=torch.uint8)
    state["truth"] = torch.tensor([True, False, True])
    return state


def views():
    base = small(4, 6)
    counted = torch.arange(24, dtype=torch.float32)
    return {
        "whole": base,
        "transposed": base.t(),
        "corner": base[1:3, 2:5],
        "column": base[:, 3],
        "every_second": counted[1::2],
        "tied": counted.view(2, 3, 4),
        "permuted": counted.view(2, 3, 4).permute(2, 0, 1),
        "row_of_one": counted[5:6].view(1, 1),
        "expanded": counted[:3].expand(4, 3),
        "diagonal": base[:4, :4].diagonal(),
        "empty": torch.empty(0, 5),
        "scalar": torch.tensor(2.5),
        "parameter": torch.nn.Parameter(small(2, 2)),
        "half_view": counted.to(torch.bfloat16)[4:10].view(2, 3).t(),
    }


def fairseq():
    cfg = omegaconf.OmegaConf.create(
        {
            "_name": None,
            "common": {"seed": 1337, "fp16": True, "log_format": "json"},
            "model": {
                "_name": "data2vec_multi",
                "depth": 12,
                "embed_dim": "${task.width}",
                "norm_eps": 1e-06,
                "layers": [[512, 10, 5], [512, 3, 2]],
                "supported_modality": Modality.AUDIO,
                "missing": "???",
                "seed": "${common.seed}",
            },
            "task": {"width": 768, "labels": ["km"], "normalize": True, "data": "/data/${common.log_format}"},
        }
    )
    dictionary = Dictionary()
    dictionary.symbols = ["<s>", "<pad>", "a", "b"]
    dictionary.indices = {"<s>": 0, "<pad>": 1, "a": 2, "b": 3}
    meter = AverageMeter()
    meter.sum = torch.tensor(1.5)
    meter.count = 2
    weight = small(4, 3)
    return {
        "args": argparse.Namespace(arch="data2vec", layers=2, names=["a", "b"], lr=0.5, device=torch.device("cpu")),
        "cfg": cfg,
        "model": collections.OrderedDict(
            [
                ("encoder.weight_g", small(1, 1, 3)),
                ("encoder.weight_v", small(2, 2, 3)),
                ("encoder.proj.weight", weight),
                ("decoder.tied.weight", weight),
                ("_ema", {"encoder.proj.weight": small(4, 3)}),
                ("num_updates", 17),
            ]
        ),
        "criterion": {},
        "optimizer_history": [{"criterion_name": "X", "num_updates": 17, "best_loss": numpy.float64(2.25)}],
        "task_state": {"dictionaries": [dictionary], "target": None},
        "extra_state": {
            "metrics": collections.OrderedDict([("train", [(0, "loss", "AverageMeter", {"val": numpy.float32(1.0)})])]),
            "meter": meter,
            "counts": collections.defaultdict(int, {"a": 1}),
            "path": pathlib.PurePosixPath("/a/b"),
        },
        "last_optimizer_state": {"state": {0: {"exp_avg": small(2)}}, "param_groups": [{"params": [0]}]},
    }


def wrapped():
    """OpenAI's Whisper layout."""
    return {
        "dims": {"n_mels": 80, "n_audio_ctx": 1500, "n_audio_state": 4, "n_audio_layer": 1},
        "model_state_dict": {"encoder.ln_post.weight": small(4), "encoder.conv1.weight": small(4, 2, 3)},
    }


def unreadable():
    return {
        "plain": small(2),
        "complex": torch.tensor([1 + 2j]),
        "sparse": torch.eye(3).to_sparse(),
        "quantised": torch.quantize_per_tensor(small(4), 0.1, 0, torch.qint8),
    }


class Call:
    """Pickles as a call of `function` with `arguments`."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def evaluated(text):
    return Call(eval, text)


HOSTILE = {
    "os_system": lambda: {"model": {"w": torch.zeros(2)}, "cfg": Call(os.system, "true")},
    "eval": lambda: {"w": torch.zeros(2), "x": evaluated("1 + 1")},
    "popen": lambda: Call(subprocess.Popen, ["true"]),
    "nested_load": lambda: {"w": Call(torch.storage._load_from_bytes, b"")},
}


def flat(value, prefix=""):
    """Dotted names to tensors, as crates/checkpoint/src/torch/state_dict.rs finds them."""
    if isinstance(value, torch.Tensor):
        yield prefix, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from flat(item, f"{prefix}.{key}" if prefix else str(key))


def describe(tensor):
    values = tensor.detach().to(torch.float32).flatten().tolist()
    return {"shape": list(tensor.shape), "dtype": str(tensor.dtype)[6:], "values": values}


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(20240901)
    expected = {}

    def save(name, content, inner=None, **options):
        torch.save(content, out / name, **options)
        state = content if inner is None else content[inner]
        expected[name] = {key: describe(tensor) for key, tensor in flat(state)}
        return content

    legacy = {"_use_new_zipfile_serialization": False}
    save("types.pt", types_of_elements())
    save("types_legacy.pt", types_of_elements(), **legacy)
    save("views.pt", views())
    save("views_legacy.pt", views(), **legacy)
    for protocol in [1, 4, 5]:
        save(f"protocol_{protocol}.pt", {"w": small(2, 3), "n": {"é": small(2)}}, pickle_protocol=protocol)
    save("fairseq.pt", fairseq(), "model")
    save("fairseq_legacy.pt", fairseq(), "model", **legacy)
    save("fairseq_protocol_4.pt", fairseq(), "model", pickle_protocol=4)
    save("whisper.pt", wrapped(), "model_state_dict")

    torch.save(unreadable(), out / "unreadable.pt")

    shards = [("a.weight", small(2, 2)), ("b.weight", small(3)), ("c.weight", small(1, 4).half())]
    folder = out / "sharded"
    folder.mkdir(exist_ok=True)
    torch.save(dict(shards[:2]), folder / "pytorch_model-00001-of-00002.bin")
    torch.save(dict(shards[2:]), folder / "pytorch_model-00002-of-00002.bin")
    index = {
        "metadata": {"total_size": 36},
        "weight_map": {name: f"pytorch_model-0000{1 + (i >= 2)}-of-00002.bin" for i, (name, _) in enumerate(shards)},
    }
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index, indent=1) + "\n")
    expected["sharded"] = {name: describe(tensor) for name, tensor in shards}

    for name, content in HOSTILE.items():
        torch.save(content(), out / f"hostile_{name}.pt")
        torch.save(content(), out / f"hostile_{name}_legacy.pt", **legacy)

    # A TorchScript program, and the same archive as types.pt with its entries compressed.
    program = io.BytesIO()
    torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), program)
    (out / "torchscript.pt").write_bytes(program.getvalue())
    with zipfile.ZipFile(out / "types.pt") as stored, zipfile.ZipFile(
        out / "compressed.pt", "w", zipfile.ZIP_DEFLATED
    ) as compressed:
        for entry in stored.namelist():
            stamp = zipfile.ZipInfo(entry, (1980, 1, 1, 0, 0, 0))
            stamp.compress_type = zipfile.ZIP_DEFLATED
            compressed.writestr(stamp, stored.read(entry))

    expected["versions"] = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "omegaconf": omegaconf.__version__,
        "numpy": numpy.__version__,
    }
    (out / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
