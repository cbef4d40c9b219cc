"""An independent check of the linear probe: scikit-learn's logistic regression on the same pooled features and parts.

    emobox bench --corpus emodb=DIR --encoder NAME=DIR --head mean-linear --home HOME
    python parity/probe/logistic_regression.py HOME RUN

RUN is the folder that bench prints behind `probes:`. In every fold both train on the same utterances, choose on the same
validation speakers (emobox its epoch and learning rate, logistic regression its C), and are tested on the same part; the
features are the means over frames of what the store holds, for logistic regression standardised. Prints UA pooled over
the folds. scikit-learn 1.9.1, safetensors 0.8.0.
"""

import json
import pathlib
import sys

import numpy as np
from safetensors.numpy import load_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

home, run = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
job = json.loads((run / "job.json").read_text())
corpus, encoder = job["corpus"], job["features"]["encoder"]
lines = (home / "corpora" / corpus / "manifest.jsonl").read_text().splitlines()
rows = {row["key"]: row for row in map(json.loads, lines)}
features = {}
for shard in sorted((home / "features" / corpus / encoder / "frames").glob("*.safetensors")):
    features |= {key: frames.astype(np.float32).mean(axis=0) for key, frames in load_file(shard).items()}


def part(keys):
    return np.stack([features[key] for key in keys]), [rows[key]["label"] for key in keys]


reference, ours, theirs = [], [], []
for fold in sorted(run.glob("fold*/outcome.json")):
    outcome = json.loads(fold.read_text())
    tested = outcome["selected"][0]["predictions"]
    test = [row["key"] for row in tested]
    speakers = set(outcome["validation"]["speakers"])
    rest = sorted(features.keys() - set(test))
    valid = [key for key in rest if rows[key].get("speaker") in speakers]
    train = [key for key in rest if rows[key].get("speaker") not in speakers]
    counts = (len(train), len(valid))
    expected = (outcome["validation"]["train_count"], outcome["validation"]["valid_count"])
    assert counts == expected, f"{fold}: parts of {counts}, emobox had {expected}; its validation is not by speakers"
    best = (-1.0, None)
    for c in (1e-3, 1e-2, 1e-1, 1.0, 10.0):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=5000)).fit(*part(train))
        x, labels = part(valid)
        best = max(best, (recall_score(labels, model.predict(x), average="macro"), model), key=lambda pair: pair[0])
    x, labels = part(test)
    theirs += list(best[1].predict(x))
    ours += [outcome["classes"][row["prediction"]] for row in tested]
    reference += labels
ua = [100 * recall_score(reference, found, average="macro") for found in (ours, theirs)]
print(f"{corpus}, {encoder}, {len(reference)} test items: emobox {ua[0]:.2f}, logistic regression {ua[1]:.2f}, difference {ua[0] - ua[1]:+.2f} points of UA")
