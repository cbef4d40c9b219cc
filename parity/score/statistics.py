"""Goldens of calibration, McNemar, corrections and rankings in crates/score from scikit-learn, statsmodels and scipy.

Run: python parity/score/statistics.py (versions: parity/score/requirements.txt)
Writes crates/score/tests/golden/statistics.json. Seeded; the versions stand in the file.
"""

import importlib.metadata
import json
import math
import pathlib

import numpy as np
from scipy import stats
from sklearn import metrics
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

generator = np.random.default_rng(20240902)


def calibration_case(classes, n, sharpness):
    logits = generator.normal(size=(n, len(classes))) * sharpness
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    p = np.exp(log_p)
    labels = np.array([generator.choice(len(classes), p=row / row.sum()) for row in p])
    predicted = p.argmax(axis=1)
    confidence = p.max(axis=1)
    # Guo et al. 2017: bins (0, 1/15], ..., (14/15, 1].
    bins = np.clip(np.ceil(confidence * 15).astype(int), 1, 15)
    ece = sum(
        abs((predicted[bins == b] == labels[bins == b]).sum() - confidence[bins == b].sum()) / n
        for b in range(1, 16)
    )
    names = np.array(classes)
    return {
        "classes": classes,
        "labels": names[labels].tolist(),
        "predictions": names[predicted].tolist(),
        "log_probabilities": log_p.tolist(),
        "log_loss": metrics.log_loss(names[labels], p, labels=classes),
        "brier": metrics.brier_score_loss(names[labels], p, labels=classes, scale_by_half=False),
        "ece": float(ece),
    }


def mcnemar_case(b, c):
    table = [[0, b], [c, 0]]
    exact = mcnemar(table, exact=True)
    asymptotic = mcnemar(table, exact=False, correction=True)
    return {
        "only_a": b,
        "only_b": c,
        "p_exact": float(exact.pvalue),
        "chi_square": float(asymptotic.statistic),
        "p_asymptotic": float(asymptotic.pvalue),
    }


def correction_case(p):
    return {
        "p": p,
        "holm": multipletests(p, method="holm")[1].tolist(),
        "benjamini_hochberg": multipletests(p, method="fdr_bh")[1].tolist(),
    }


def ranking_case(corpora, systems, spread, decimals):
    skill = np.linspace(0.4, 0.4 + spread, systems)
    scores = np.round(skill + generator.normal(scale=0.05, size=(corpora, systems)), decimals)
    chi, p = stats.friedmanchisquare(*scores.T)
    ranks = stats.rankdata(-scores, axis=1).mean(axis=0)
    f = (corpora - 1) * chi / (corpora * (systems - 1) - chi)
    unit = math.sqrt(systems * (systems + 1) / (6 * corpora))
    studentised = stats.studentized_range
    pairwise = [
        [
            1.0 if i == j else float(studentised.sf(abs(ranks[i] - ranks[j]) / unit * math.sqrt(2), systems, np.inf))
            for j in range(systems)
        ]
        for i in range(systems)
    ]
    return {
        "scores": scores.tolist(),
        "mean_ranks": ranks.tolist(),
        "friedman_chi_square": float(chi),
        "friedman_p": float(p),
        "iman_davenport_f": float(f),
        "iman_davenport_p": float(stats.f.sf(f, systems - 1, (systems - 1) * (corpora - 1))),
        "critical_difference": float(studentised.ppf(0.95, systems, np.inf)) / math.sqrt(2) * unit,
        "pairwise_p": pairwise,
    }


golden = {
    "made_by": "parity/score/statistics.py",
    "versions": {
        name: importlib.metadata.version(name)
        for name in ("scikit-learn", "statsmodels", "scipy", "numpy")
    },
    "calibration": [
        calibration_case(["angry", "happy", "neutral", "sad"], 120, 2.0),
        calibration_case(["a", "b"], 60, 0.5),
        calibration_case(["angry", "happy", "sad"], 40, 30.0),
        calibration_case(["a", "b", "c"], 1, 1.0),
    ],
    "mcnemar": [
        mcnemar_case(b, c)
        for b, c in [(1, 0), (0, 5), (3, 3), (10, 4), (40, 22), (121, 59), (700, 800), (2000, 1700), (12, 61)]
    ],
    "corrections": [
        correction_case([0.01]),
        correction_case([0.04, 0.01, 0.03, 0.5]),
        correction_case([0.02, 0.02, 0.9, 1.0, 0.0001]),
        correction_case(generator.random(20).round(4).tolist()),
    ],
    "rankings": [
        ranking_case(32, 10, 0.1, 4),
        ranking_case(6, 3, 0.02, 4),
        ranking_case(12, 5, 0.0, 2),
        ranking_case(20, 4, 0.3, 1),
    ],
}
out = pathlib.Path(__file__).parents[2] / "crates/score/tests/golden/statistics.json"
out.write_text(json.dumps(golden) + "\n")
