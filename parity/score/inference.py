"""Goldens of crates/score/src/inference.rs and flips.rs: standard errors, degrees, intervals and sign flips.

Run: python parity/score/inference.py (versions: parity/score/requirements.txt)
Writes crates/score/tests/golden/inference.json. Seeded; the versions stand in the file.

An implementation of its own, from the definitions: scores are scikit-learn's, the covariance of the residuals is a product
of explicit matrices, quantiles are scipy's, and sign flips go through scipy.stats.permutation_test. Every case has a second
system on the same items; the two are compared.
"""

import json
import pathlib

import numpy as np
import scipy
import sklearn
from scipy import stats
from sklearn import metrics

SHARED = 0.5
FLOOR = 0.4
generator = np.random.default_rng(20240903)


def shares(name, label, prediction, fold, speaker, classes, over):
    """y and b as [speaker, class]: what each cluster gives to a score, and its weight."""
    speakers = sorted(set(speaker))
    folds = sorted(set(fold)) if over == "mean" else [None]
    wide = 1 if name == "wa" else len(classes)
    y, b = np.zeros((len(speakers), wide)), np.zeros((len(speakers), wide))
    for f in folds:
        inside = np.ones(len(label), bool) if f is None else fold == f
        present = [c for c in classes if (label[inside] == c).any()]
        for s, who in enumerate(speakers):
            own = inside & (speaker == who)
            if name == "wa":
                y[s, 0] += (own & (label == prediction)).sum() / inside.sum() / len(folds)
                b[s, 0] += own.sum() / inside.sum() / len(folds)
                continue
            for c in present:
                k = classes.index(c)
                n, p = label == c, prediction == c
                parts = len(present) * len(folds)
                if name == "ua":
                    whole = (inside & n).sum() * parts
                    y[s, k] += (own & n & p).sum() / whole
                    b[s, k] += (own & n).sum() / whole
                else:
                    whole = ((inside & n).sum() + (inside & p).sum()) * parts
                    y[s, k] += 2 * (own & n & p).sum() / whole
                    b[s, k] += ((own & n).sum() + (own & p).sum()) / whole
    return y, b


def residuals(y, b):
    weight = b.sum(axis=0)
    mean = np.divide(y.sum(axis=0), weight, out=np.zeros_like(weight), where=weight > 0)
    return (y - b * mean).sum(axis=1)


def least(share):
    """The variance between speakers that is the least assumed."""
    return FLOOR * (1 - 2 * share) ** 2 * max(share * (1 - share), 0) ** 1.5


def error(u, b, floor):
    weight = b.sum(axis=0)
    clusters, wide = b.shape
    a = np.divide(b, weight, out=np.zeros_like(b), where=weight > 0)
    # u = M y' with y' the recalls of the cells, whose covariance within a cluster is SHARED off the diagonal.
    m = np.zeros((clusters, clusters, wide))
    for s in range(clusters):
        for r in range(clusters):
            m[s, r] = b[s] * ((s == r) - a[r])
    m = m.reshape(clusters, clusters * wide)
    sigma = np.kron(np.eye(clusters), SHARED + (1 - SHARED) * np.eye(wide))
    k = m @ sigma @ m.T
    truth = b.reshape(-1) @ sigma @ b.reshape(-1)
    floor *= (b.sum(axis=1) ** 2).sum()
    if np.trace(k) < 1e-12 * truth:
        return float(np.sqrt(floor)), 0.0
    variance = max((u**2).sum() * truth / np.trace(k), floor)
    return float(np.sqrt(variance)), float(np.trace(k) ** 2 / (k @ k).trace())


def interval(score, se, degrees):
    if not 0 < score < 1:
        return [score, score]
    if degrees < 1.5 or se < 1e-12:
        return None
    t = stats.t.ppf(0.975, degrees)
    z, half = np.log(score / (1 - score)), t * se / (score * (1 - score))
    return [float(1 / (1 + np.exp(-(z - half)))), float(1 / (1 + np.exp(-(z + half))))]


def only_one_right(name, label, right, fold, over):
    """The share of the score in the items that the first system alone has right, and that of the second alone."""
    weight = np.zeros(len(label))
    folds = sorted(set(fold)) if over == "mean" else [None]
    for f in folds:
        inside = np.ones(len(label), bool) if f is None else fold == f
        present = sorted(set(label[inside]))
        for c in present:
            own = inside & (label == c)
            weight[own] = 1 / (inside.sum() if name == "wa" else own.sum() * len(present)) / len(folds)
    return [(weight * (right[i] & ~right[1 - i])).sum() for i in (0, 1)]


def comparison(name, label, predictions, fold, speaker, classes, over):
    (ya, ba), (yb, bb) = [shares(name, label, p, fold, speaker, classes, over) for p in predictions]
    right = [label == p for p in predictions]
    floor = sum(least(share) for share in only_one_right(name, label, right, fold, over))
    se, degrees = error(residuals(ya, ba) - residuals(yb, bb), (ba + bb) / 2, floor)
    difference = np.subtract(*[overall(name, label, p, fold, over) for p in predictions])
    found = {"difference": float(difference), "ci": None, "p_t": None}
    if degrees >= 1.5:
        half = stats.t.ppf(0.975, degrees) * se
        found["ci"] = [float(max(difference - half, -1)), float(min(difference + half, 1))]
        found["p_t"] = float(2 * stats.t.sf(abs(difference) / se, degrees))
    return found


def score(name, label, prediction):
    if name == "wa":
        return metrics.accuracy_score(label, prediction)
    present = sorted(set(label))
    average = {"average": "macro", "labels": present, "zero_division": 0}
    if name == "ua":
        return metrics.recall_score(label, prediction, **average)
    return metrics.f1_score(label, prediction, **average)


def overall(name, label, prediction, fold, over):
    if over == "pooled":
        return float(score(name, label, prediction))
    parts = [score(name, label[fold == f], prediction[fold == f]) for f in sorted(set(fold))]
    return float(np.mean(parts))


def case(name, clusters, classes, sizes, pure, folds, skill):
    label, prediction, other, fold, speaker = [], [], [], [], []
    for s in range(clusters):
        level = np.clip(skill + generator.uniform(-0.25, 0.25), 0.05, 1.0)
        own = [classes[s % len(classes)]] if s in pure else classes
        for c in own:
            for _ in range(int(sizes(s))):
                right = generator.random() < level
                label.append(c)
                prediction.append(c if right else str(generator.choice(classes)))
                same = generator.random() < 0.6
                other.append(prediction[-1] if same else str(generator.choice([c, *classes])))
                fold.append(1 + s % folds)
                speaker.append(f"s{s:02}")
    label, prediction, other = np.array(label), np.array(prediction), np.array(other)
    fold, speaker = np.array(fold), np.array(speaker)
    results = {}
    for over in ("pooled", "mean"):
        for metric in ("ua", "wa", "macro_f1"):
            y, b = shares(metric, label, prediction, fold, speaker, classes, over)
            value = overall(metric, label, prediction, fold, over)
            if metric != "macro_f1" or over == "pooled":
                assert abs(y.sum() - value) < 1e-12, (metric, over)
            se, degrees = error(residuals(y, b), b, least(y.sum()))
            results[f"{over} {metric}"] = {
                "score": value,
                "error": se,
                "degrees": degrees,
                "interval": interval(value, se, degrees),
            }
    lacking = any(set(label[fold == f]) != set(label) for f in fold)
    compared = {
        metric: comparison(metric, label, [prediction, other], fold, speaker, classes, "pooled" if lacking else "mean")
        for metric in ("ua", "wa", "macro_f1")
    }
    return {
        "name": name,
        "classes": classes,
        "labels": label.tolist(),
        "predictions": prediction.tolist(),
        "folds": fold.tolist(),
        "speakers": speaker.tolist(),
        "results": results,
        "other": other.tolist(),
        "compared": compared,
    }


def flips(parts):
    test = stats.permutation_test(
        (np.array(parts),), lambda x, axis: x.sum(axis=axis), permutation_type="samples", n_resamples=np.inf
    )
    return {"parts": parts, "p": float(test.pvalue)}


four = ["angry", "happy", "neutral", "sad"]
cases = [
    case("balanced", 6, four, lambda s: 6, set(), 1, 0.7),
    case("five speakers, two folds", 5, four, lambda s: 5, set(), 2, 0.6),
    case("unequal", 9, four, lambda s: 1 + generator.geometric(0.15), set(), 3, 0.6),
    case("class-pure", 16, four, lambda s: 4 + s % 5, set(range(16)), 1, 0.7),
    case("a speaker a fold, nearly all pure", 14, four, lambda s: 3 + s % 4, set(range(3, 14)), 14, 0.6),
    case("near perfect", 12, ["a", "b"], lambda s: 10, set(), 4, 0.97),
    case("perfect", 8, four, lambda s: 3, set(), 2, 2.0),
    case("one speaker has nearly all", 6, four, lambda s: 60 if s == 0 else 1, set(), 1, 0.6),
    case("one speaker a class", 5, four[:3], lambda s: 6, {3, 4}, 1, 0.6),
    case("a speaker too few for a class", 5, four, lambda s: 6, set(range(5)), 1, 0.6),
    case("forty", 40, four, lambda s: 2 + s % 3, set(range(20, 40)), 4, 0.65),
]
golden = {
    "made_by": "parity/score/inference.py",
    "versions": {"scikit-learn": sklearn.__version__, "scipy": scipy.__version__, "numpy": np.__version__},
    "cases": cases,
    "t": [
        {"degrees": d, "share": q, "quantile": float(stats.t.ppf(q, d)), "p": float(2 * stats.t.sf(abs(x), d)), "at": x}
        for d, q, x in [(1.5, 0.975, 2.0), (4, 0.975, -1.3), (9.37, 0.995, 4.0), (120.5, 0.9, 0.01), (3, 0.8, 30.0)]
    ],
    "flips": [
        flips(generator.normal(0.1, 0.2, size=n).round(3).tolist()) for n in (2, 3, 4, 5, 8, 11, 13)
    ]
    + [flips([1.0, -1.0, 1.0, 1.0, 1.0, 1.0])],
}
out = pathlib.Path(__file__).parents[2] / "crates/score/tests/golden/inference.json"
out.write_text(json.dumps(golden) + "\n")
