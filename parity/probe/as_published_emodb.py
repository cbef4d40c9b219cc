"""The published recipe's scoring of a real training beside what `emobox bench` wrote of it as published.

Run: python parity/probe/as_published_emodb.py HOME METADATA [EPOCHS_PROGRAM] (versions: parity/score/requirements.txt)

HOME is the home of `emobox bench --corpus emodb=… --encoder whisper-tiny.en=… --scheme published --protocol paper
--metadata METADATA`. The features are read from its store and the five published folds from METADATA; each fold is trained once
more by `cargo run --release -p emobox-probe --example epochs` (as the benchmark trains its first seed: same items, validation
part, weights), which prints what every sweep point predicts on the test part after every epoch. From these predictions
parity/probe/as_published.py's `best_of` repeats what the recipe prints; it has to be what the same training says of itself, and
what the benchmark's own outcome.json says, count by count. Of the first fold predictions and result are written to
crates/probe/tests/golden/as_published_emodb.json.
"""

import glob
import importlib.util
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy as np
from sklearn import metrics

here = pathlib.Path(__file__).parent
arguments, sys.argv = sys.argv, sys.argv[:1]
home, metadata = map(pathlib.Path, arguments[1:3])
program = arguments[3:4] or "cargo run --quiet --release -p emobox-probe --example epochs --".split()
spec = importlib.util.spec_from_file_location("as_published", here / "as_published.py")
recipe = importlib.util.module_from_spec(spec)
spec.loader.exec_module(recipe)


def features(store):
    """Frames of every key, as bytes of f16, with their number."""
    found = {}
    for shard in sorted((store / "frames").glob("*.safetensors")):
        data = shard.read_bytes()
        start = 8 + struct.unpack("<Q", data[:8])[0]
        for key, tensor in json.loads(data[8:start]).items():
            if key != "__metadata__":
                low, high = tensor["data_offsets"]
                found[key] = (tensor["shape"][0], tensor["shape"][1], data[start + low : start + high])
    return found


manifest = [json.loads(line) for line in (home / "corpora/emodb/manifest.jsonl").read_text().splitlines()]
label_of = {row["key"]: row["label"] for row in manifest}
classes = sorted(set(label_of.values()))
frames = features(home / "features/emodb/whisper-tiny.en")
outcomes = []
for path in glob.glob(str(home / "runs/emodb/whisper-tiny.en/*/job.json")):
    job = json.loads(pathlib.Path(path).read_text())
    folds = sorted(pathlib.Path(path).parent.glob("fold*/outcome.json"))
    if job["protocol"]["name"] == "paper" and len(folds) == 5 and len(list(pathlib.Path(path).parent.glob("cell-published*"))):
        outcomes = [json.loads(fold.read_text()) for fold in folds]
assert len(outcomes) == 5, "the home has no finished run on the five published folds under protocol paper"
mean = {"recipe": [], "benchmark": [], "last": []}
for fold, outcome in enumerate(outcomes, 1):
    role = {}
    for part in ("train", "test"):
        for line in (metadata / f"emodb/fold_{fold}/emodb_{part}_fold_{fold}.jsonl").read_text().splitlines():
            role[json.loads(line)["key"]] = part
    keys = sorted(role)
    with tempfile.TemporaryDirectory() as folder:
        lines = [f"{frames[k][0]}\t{classes.index(label_of[k])}\t{role[k]}\t{k}\n" for k in keys]
        pathlib.Path(folder, "items.tsv").write_text("".join(lines))
        pathlib.Path(folder, "features.f16").write_bytes(b"".join(frames[k][2] for k in keys))
        dim = frames[keys[0]][1]
        out = subprocess.run([*program, folder, str(dim), "100", "emodb", str(fold)], check=True, capture_output=True, text=True).stdout
    trained = json.loads(out)
    arrays = [[np.array(row) for row in rows] for rows in trained["predictions"]]
    found = recipe.best_of(np.array(trained["labels"]), arrays, len(classes))
    own = trained["as_published"]
    for name in ("epoch", "point", "confusion"):
        assert found[name] == own[name], (fold, name, found[name], own[name])
    benchmark = outcome["as_published"][0]
    assert found["confusion"] == benchmark["confusion"], (fold, found["confusion"], benchmark["confusion"])
    assert found["epoch"] == benchmark["epoch"], (fold, found["epoch"], benchmark["epoch"])
    last = metrics.balanced_accuracy_score(trained["labels"], arrays[found["point"]][-1])
    mean["recipe"].append([found["balanced_accuracy"], found["accuracy"]])
    mean["last"].append(last)
    print(
        f"fold {fold}: equal; point {found['point']}, epoch {found['epoch']} of 100, balanced accuracy "
        f"{100 * found['balanced_accuracy']:.2f} pooled over its epochs, {100 * last:.2f} of the point's last epoch alone",
        flush=True,
    )
    if fold == 1:
        text = lambda row: "".join(map(str, row))
        golden = {
            "made_by": "parity/probe/as_published_emodb.py",
            "labels": text(trained["labels"]),
            "predictions": [[text(row) for row in rows] for rows in trained["predictions"]],
            "epoch": found["epoch"],
            "point": found["point"],
            "confusion": found["confusion"],
        }
        path = here.parents[1] / "crates/probe/tests/golden/as_published_emodb.json"
        path.write_text(json.dumps(golden) + "\n")
ua, wa = np.mean(mean["recipe"], axis=0)
print(f"mean over folds, as published: UA {100 * ua:.2f}, WA {100 * wa:.2f}; last epochs UA {100 * np.mean(mean['last']):.2f}")
