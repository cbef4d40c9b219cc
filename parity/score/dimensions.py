"""Goldens of crates/score/src/dimensions.rs and soft.rs: concordances from audmetric, their jackknife over speakers in NumPy and
SciPy, Jensen-Shannon divergences from SciPy.

Run: python parity/score/dimensions.py (versions: parity/score/requirements.txt)
Writes crates/score/tests/golden/dimensions.json. Seeded; the versions stand in the file.
"""

import importlib.metadata
import json
import math
import pathlib

import audmetric
import numpy as np
import scipy
from scipy import stats
from scipy.spatial.distance import jensenshannon

generator = np.random.default_rng(20240912)


def ccc(reference, predicted):
    value = audmetric.concordance_cc(np.asarray(reference), np.asarray(predicted))
    return None if math.isnan(value) else value


def plain():
    cases = []
    for n, slope, shift, noise in [(2, 1, 0, 0.1), (3, 0.5, 1, 0.2), (40, 0.7, 0.3, 0.5), (1000, 1.2, -2, 1), (500, -0.8, 0, 0.3),
                                   (200, 1e-3, 1e6, 1e-3), (60, 1, 0, 0), (60, 0, 2, 0), (1, 1, 0, 1)]:
        reference = generator.uniform(1, 7, n)
        predicted = slope * reference + shift + noise * generator.normal(size=n)
        cases.append((reference, predicted))
    constant = np.full(20, 3.5)
    cases += [(constant, constant), (constant, constant + 1), (constant, generator.uniform(1, 7, 20))]
    return [{"reference": r.tolist(), "predicted": p.tolist(), "ccc": ccc(r, p)} for r, p in cases]


def scored():
    """Three dimensions, three folds of different speakers, two seeds: means, and a jackknife over speakers."""
    items = []
    for speaker in range(12):
        for turn in range(int(generator.integers(4, 15))):
            reference = generator.uniform(1, 5, 3) + 0.3 * generator.normal()
            predicted = 0.6 * reference + 1 + generator.normal(size=(2, 3)) * 0.7 + 0.05 * speaker
            items.append({"key": f"{speaker:02}-{turn:02}", "speaker": f"s{speaker:02}", "fold": speaker % 3 + 1,
                          "reference": reference.tolist(), "predicted": predicted.tolist()})

    def value(kept, seed, dimension, pooled):
        folds = {1: kept} if pooled else {f: [i for i in kept if i["fold"] == f] for f in (1, 2, 3)}
        return np.mean([ccc([i["reference"][dimension] for i in part], [i["predicted"][seed][dimension] for i in part])
                        for part in folds.values() if part])

    def of(kept, pooled):
        table = np.array([[value(kept, seed, d, pooled) for d in range(3)] for seed in range(2)])
        return np.column_stack([table, table.mean(axis=1)])

    results = {}
    speakers = sorted({i["speaker"] for i in items})
    for name, pooled in [("mean", False), ("pooled", True)]:
        whole = of(items, pooled)
        score, deviation = whole.mean(axis=0), whole.std(axis=0, ddof=1)
        left = np.array([of([i for i in items if i["speaker"] != s], pooled).mean(axis=0) for s in speakers])
        g = len(speakers)
        a = (g - 1) / g * ((left - left.mean(axis=0)) ** 2).sum(axis=0)
        b = deviation**2 / 2
        degrees = (a + b) ** 2 / (a**2 / (g - 1) + b**2 / 1)
        half = stats.t.ppf(0.975, degrees) * np.sqrt(a + b) / (1 - score**2)
        results[name] = {"ccc": score.tolist(), "seeds": deviation.tolist(), "error": np.sqrt(a + b).tolist(),
                         "degrees": degrees.tolist(), "low": np.tanh(np.arctanh(score) - half).tolist(),
                         "high": np.tanh(np.arctanh(score) + half).tolist()}
    return {"items": items, **results}


def soft():
    cases = []
    for _ in range(30):
        votes = generator.integers(0, 5, 4)
        logits = generator.normal(size=4) * 2
        logs = logits - scipy.special.logsumexp(logits)
        divergence = None if votes.sum() == 0 else float(jensenshannon(votes, np.exp(logs), base=2) ** 2)
        cases.append({"votes": votes.tolist(), "scores": logs.tolist(), "divergence": divergence})
    return cases


versions = {name: importlib.metadata.version(name) for name in ("numpy", "scipy", "audmetric")}
golden = {"versions": versions, "plain": plain(), "scored": scored(), "soft": soft()}
target = pathlib.Path(__file__).parents[2] / "crates/score/tests/golden/dimensions.json"
target.write_text(json.dumps(golden, indent=1) + "\n")
