"""Goldens of crates/score/src/confusion.rs from scikit-learn.

Run: python parity/score/metrics.py (versions: parity/score/requirements.txt)
Writes crates/score/tests/golden/metrics.json. Seeded; the versions stand in the file.
"""

import json
import pathlib
import warnings

import numpy as np
import sklearn
from sklearn import metrics

warnings.filterwarnings("ignore")
generator = np.random.default_rng(20240901)


def case(name, classes, labels, predictions):
    options = {"labels": classes, "zero_division": 0}
    f1 = {
        average: metrics.f1_score(labels, predictions, average=average, **options)
        for average in ("micro", "weighted")
    }
    # Over the classes present in the reference, as UA is: an absent class has no F1.
    present = [c for c in classes if c in set(labels)]
    f1["macro"] = metrics.f1_score(labels, predictions, average="macro", labels=present, zero_division=0)
    precision, recall, f1_each, support = metrics.precision_recall_fscore_support(
        labels, predictions, average=None, **options
    )
    return {
        "name": name,
        "classes": classes,
        "labels": list(labels),
        "predictions": list(predictions),
        "ua": metrics.balanced_accuracy_score(labels, predictions),
        "wa": metrics.accuracy_score(labels, predictions),
        "macro_f1": f1["macro"],
        "micro_f1": f1["micro"],
        "weighted_f1": f1["weighted"],
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "f1": f1_each.tolist(),
        "support": [int(n) for n in support],
        "confusion": metrics.confusion_matrix(labels, predictions, labels=classes).tolist(),
    }


def random_case(name, classes, n, skill, weights=None, drop_label=None, drop_prediction=None):
    """n items whose prediction is right with probability `skill`; some classes can be left out of one side."""
    sources = [c for c in classes if c != drop_label]
    guesses = [c for c in classes if c != drop_prediction]
    labels = generator.choice(sources, size=n, p=weights)
    random = generator.choice(guesses, size=n)
    right = generator.random(n) < skill
    predictions = np.where(right, labels, random)
    if drop_prediction is not None:
        predictions = np.where(predictions == drop_prediction, guesses[0], predictions)
    return case(name, classes, labels.tolist(), predictions.tolist())


four = ["angry", "happy", "neutral", "sad"]
seven = ["angry", "bored", "disgusted", "fearful", "happy", "neutral", "sad"]
cases = [
    random_case("four balanced", four, 240, 0.5),
    random_case("seven", seven, 535, 0.7),
    random_case("skewed", four, 400, 0.4, weights=[0.9, 0.05, 0.04, 0.01]),
    random_case("class never predicted", four, 60, 0.5, drop_prediction="sad"),
    random_case("class never present", four, 60, 0.5, drop_label="happy"),
    random_case("class neither present nor predicted", four, 60, 0.5, drop_label="sad", drop_prediction="sad"),
    case("single class, right", ["sad"], ["sad"] * 3, ["sad"] * 3),
    case("single class in the reference", four, ["sad"] * 5, ["sad", "happy", "sad", "angry", "sad"]),
    case("one item, right", four, ["angry"], ["angry"]),
    case("one item, wrong", four, ["angry"], ["sad"]),
    case("all wrong", ["a", "b"], ["a", "b"], ["b", "a"]),
] + [
    random_case(f"random {i}", seven[: 2 + i % 6], int(generator.integers(1, 80)), float(generator.random()))
    for i in range(24)
]
golden = {
    "made_by": "parity/score/metrics.py",
    "versions": {"scikit-learn": sklearn.__version__, "numpy": np.__version__},
    "cases": cases,
}
out = pathlib.Path(__file__).parents[2] / "crates/score/tests/golden/metrics.json"
out.write_text(json.dumps(golden) + "\n")
