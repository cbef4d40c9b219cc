"""Goldens of crates/probe/src/as_published.rs: the published recipe's scoring of all checkpoints on the test part.

Run: python parity/probe/as_published.py (versions: parity/score/requirements.txt)
Writes crates/probe/tests/golden/as_published.json. Seeded; the versions stand in the file.

Run: python parity/probe/as_published.py FILE
Checks a real training: FILE is what `cargo run -p emobox-probe --example epochs -- FOLDER DIM EPOCHS` prints, the test part's
labels, the predictions of every epoch and point, and what the program made of them in the same training.

Repeats what emo-box/EmoBox at bb22000 does in examples/sb/train.py (one list of predictions for the whole loop over
checkpoints) and examples/sb/scoring_metric.py (scikit-learn's scores of that list after each checkpoint), on given
predictions of every epoch; then takes the best epoch and sweep point by its "wa", which is scikit-learn's balanced accuracy.
"""

import json
import pathlib
import sys

import numpy as np
import sklearn
from sklearn import metrics

generator = np.random.default_rng(20240904)
classes = 4


def recipe(labels, epochs, classes):
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
    return {
        "labels": labels.tolist(),
        "predictions": [[row.tolist() for row in rows] for rows in runs],
        **best_of(labels, runs, classes),
    }


def best_of(labels, runs, classes):
    """The best epoch and point, `runs` being [point][epoch][item]."""
    scored = [recipe(labels, rows, classes) for rows in runs]
    # Epoch by epoch and, within one, point by point: the first of the best stays.
    best = max(
        ((e, p) for e in range(len(runs[0])) for p in range(len(runs))),
        key=lambda place: (round(scored[place[1]][place[0]]["wa"], 12), -place[0], -place[1]),
    )
    chosen = scored[best[1]][best[0]]
    return {
        "epoch": best[0] + 1,
        "point": best[1],
        "confusion": chosen["confusion"],
        "balanced_accuracy": float(chosen["wa"]),
        "accuracy": float(chosen["ua"]),
        "macro_f1": float(chosen["macro_f1"]),
    }


def main():
    if len(sys.argv) > 1:
        check(sys.argv[1])
        return
    golden = {
        "made_by": "parity/probe/as_published.py",
        "versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__},
        "classes": classes,
        "cases": [case(40, 4, 10, None), case(25, 2, 6, 2), case(60, 4, 12, None), case(8, 1, 5, None)],
    }
    out = pathlib.Path(__file__).parents[2] / "crates/probe/tests/golden/as_published.json"
    out.write_text(json.dumps(golden) + "\n")


def check(file):
    trained = json.loads(pathlib.Path(file).read_text())
    arrays = [[np.array(row) for row in rows] for rows in trained["predictions"]]
    found = best_of(np.array(trained["labels"]), arrays, trained["classes"])
    for name in ("epoch", "point", "confusion"):
        assert found[name] == trained["as_published"][name], (name, found[name], trained["as_published"][name])
    last = recipe(np.array(trained["labels"]), [arrays[found["point"]][found["epoch"] - 1]], trained["classes"])[0]
    print(
        f"equal: point {found['point']}, epoch {found['epoch']} of {len(arrays[0])}: balanced accuracy "
        f"{100 * found['balanced_accuracy']:.2f} pooled over epochs, {100 * last['wa']:.2f} of that checkpoint alone"
    )


if __name__ == "__main__":
    main()
