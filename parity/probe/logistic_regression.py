"""An independent check of the linear probe: scikit-learn's logistic regression on the same pooled features and folds.

    emobox bench --corpus emodb=DIR --encoder NAME=DIR --head mean-linear --home HOME --out OUT
    python parity/probe/logistic_regression.py HOME OUT emodb NAME

Takes every fold's test part from OUT/predictions, trains on everything else, with features (the mean over frames of
what the store holds) standardised on the training part and C chosen by cross-validation within it, and prints UA
beside that of emobox, pooled over the test parts. scikit-learn 1.9.1, safetensors 0.8.0.
"""

import json
import pathlib
import sys

import numpy as np
from safetensors.numpy import load_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

home, out, corpus, encoder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3], sys.argv[4]
lines = (home / "corpora" / corpus / "manifest.jsonl").read_text().splitlines()
labels = {row["key"]: row["label"] for row in map(json.loads, lines)}
features = {}
for shard in sorted((home / "features" / corpus / encoder / "frames").glob("*.safetensors")):
    features |= {key: frames.astype(np.float32).mean(axis=0) for key, frames in load_file(shard).items()}
lines = (out / "predictions" / corpus / f"{encoder}.jsonl").read_text().splitlines()
rows = [json.loads(line) for line in lines]

reference, ours, theirs = [], [], []
for fold in sorted({row["fold"] for row in rows}):
    test = [row for row in rows if row["fold"] == fold]
    held_out = {row["key"] for row in test}
    train = [key for key in labels if key not in held_out and key in features]
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000)),
        {"logisticregression__C": [1e-3, 1e-2, 1e-1, 1.0]},
        scoring="recall_macro",
    )
    search.fit(np.stack([features[key] for key in train]), [labels[key] for key in train])
    theirs += list(search.predict(np.stack([features[row["key"]] for row in test])))
    ours += [row["prediction"] for row in test]
    reference += [labels[row["key"]] for row in test]
ua = [100 * recall_score(reference, found, average="macro") for found in (ours, theirs)]
print(f"{corpus}, {encoder}, {len(reference)} test items: emobox {ua[0]:.2f}, logistic regression {ua[1]:.2f}, difference {ua[0] - ua[1]:+.2f} points of UA")
