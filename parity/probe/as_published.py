"""Goldens of crates/probe/src/as_published.rs: the published recipe's scoring of all checkpoints on the test part.

Run: python parity/probe/as_published.py (versions: parity/score/requirements.txt)
Writes crates/probe/tests/golden/as_published.json. Seeded; the versions stand in the file.

Repeats what emo-box/EmoBox at bb22000 does in examples/sb/train.py (one list of predictions for the whole loop over
checkpoints) and examples/sb/scoring_metric.py (scikit-learn's scores of that list after each checkpoint), on given
predictions of every epoch; then takes the best epoch and sweep point by its "wa", which is scikit-learn's balanced accuracy.
"""

import json
import pathlib

import numpy as np
import sklearn
from sklearn import metrics

generator = np.random.default_rng(20240904)


def recipe(labels, epochs):
    """Scores after each checkpoint: the list of batches is emptied before the loop and never in it."""
    error_metrics = []
    scores = []
    for predictions in epochs:
        error_metrics.append((labels, predictions))
        target = np.concatenate([batch[0] for batch in error_metrics])
        predicted = np.concatenate([batch[1] for batch in error_metrics])
        scores.append(
            {
                "wa": metrics.balanced_accuracy_score(target, predicted),
                "ua": metrics.accuracy_score(target, predicted),
                "macro_f1": metrics.f1_score(target, predicted, average="macro"),
                "confusion": metrics.confusion_matrix(target, predicted, labels=range(classes)).tolist(),
            }
        )
    return scores


def case(items, points, epochs, absent):
    present = [c for c in range(classes) if c != absent]
    labels = generator.choice(present, size=items)
    runs = []
    for point in range(points):
        rows = []
        for epoch in range(epochs):
            skill = 0.2 + 0.5 * (1 - np.exp(-(epoch + 1) / (3 + point))) - 0.02 * max(0, epoch - 6)
            right = generator.random(items) < skill
            rows.append(np.where(right, labels, generator.integers(0, classes, items)))
        runs.append(rows)
    scored = [recipe(labels, rows) for rows in runs]
    # Epoch by epoch and, within one, point by point: the first of the best stays.
    best = max(
        ((e, p) for e in range(epochs) for p in range(points)),
        key=lambda place: (round(scored[place[1]][place[0]]["wa"], 12), -place[0], -place[1]),
    )
    chosen = scored[best[1]][best[0]]
    return {
        "labels": labels.tolist(),
        "predictions": [[row.tolist() for row in rows] for rows in runs],
        "epoch": best[0] + 1,
        "point": best[1],
        "confusion": chosen["confusion"],
        "balanced_accuracy": float(chosen["wa"]),
        "accuracy": float(chosen["ua"]),
        "macro_f1": float(chosen["macro_f1"]),
    }


classes = 4
golden = {
    "made_by": "parity/probe/as_published.py",
    "versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__},
    "classes": classes,
    "cases": [case(40, 4, 10, None), case(25, 2, 6, 2), case(60, 4, 12, None), case(8, 1, 5, None)],
}
out = pathlib.Path(__file__).parents[2] / "crates/probe/tests/golden/as_published.json"
out.write_text(json.dumps(golden) + "\n")
