"""The fairseq golden of HuBERT as S3PRL keeps such checkpoints: `model_cfg`, `task_cfg`, `model_weight`, `dictionaries_symbols`
(s3prl/upstream/hubert/convert.py of S3PRL 0.4.17). The tensors are copied as they stand, so PyTorch is not needed.

    python3 parity/encoder/s3prl.py crates/encoder/tests/golden
"""

import collections, io, pickle, sys, types, zipfile

folder = sys.argv[1]
torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
for kind in ("FloatStorage", "HalfStorage", "LongStorage"):
    setattr(torch, kind, type(kind, (), {"__module__": "torch"}))


class Storage:
    def __init__(self, id):
        self.id = id


class Tensor:
    def __init__(self, *arguments):
        self.arguments = arguments

    def __reduce_ex__(self, protocol):
        return _rebuild_tensor_v2, self.arguments


def _rebuild_tensor_v2(*arguments):
    return Tensor(*arguments)


_rebuild_tensor_v2.__module__, utils._rebuild_tensor_v2, torch._utils = "torch._utils", _rebuild_tensor_v2, utils
sys.modules["torch"], sys.modules["torch._utils"] = torch, utils


class Reader(pickle.Unpickler):
    def persistent_load(self, id):
        return Storage(id)


class Writer(pickle.Pickler):
    def persistent_id(self, value):
        return value.id if isinstance(value, Storage) else None


for size in ("base", "large"):
    source = zipfile.ZipFile(f"{folder}/hubert-fairseq-{size}.pt")
    root = source.namelist()[0].split("/")[0]
    state = Reader(io.BytesIO(source.read(f"{root}/data.pkl"))).load()
    converted = {
        "task_cfg": state["cfg"]["task"],
        # Without fairseq's own key: S3PRL knows the model by the program that reads it.
        "model_cfg": {key: value for key, value in state["cfg"]["model"].items() if key != "_name" or size == "large"},
        "model_weight": collections.OrderedDict(state["model"]),
        "dictionaries_symbols": [["a", "b"]],
    }
    pickled = io.BytesIO()
    Writer(pickled, 2).dump(converted)
    with zipfile.ZipFile(f"{folder}/hubert-s3prl-{size}.pt", "w", zipfile.ZIP_STORED) as out:
        moment = (2026, 11, 27, 0, 0, 0)
        out.writestr(zipfile.ZipInfo("archive/data.pkl", moment), pickled.getvalue())
        for name in sorted(source.namelist()):
            if "/data/" in name or name.endswith("/version"):
                out.writestr(zipfile.ZipInfo(name.replace(root, "archive", 1), moment), source.read(name))
