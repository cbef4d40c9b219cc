"""Coverage of nominal 95 % intervals of UA by other estimators than the one in use, simulated apart from the program.

Run: python parity/score/estimators.py [SIMULATIONS] (versions: parity/score/requirements.txt)
Prints the second table of docs/statistics.md. Seeded. The table of the program's own intervals comes from
`cargo run --release -p emobox-score --example coverage`.

Columns: jackknife over speakers with t on G - 1; the plain linearised error with t on G - 1; the same with Satterthwaite's
degrees; with Bell and McCaffrey's correction and these degrees; and that on the logit scale, which is what the program does.
"""

import sys

import numpy as np
from scipy import stats

CLASSES, UTTERANCES, SHARED = 4, 10, 0.5
generator = np.random.default_rng(20240905)


def sizes(design, speakers):
    if design == "equal":
        return np.full((speakers, CLASSES), UTTERANCES)
    if design == "unequal":
        scale = np.exp(generator.normal(0, 1, speakers) - 0.5)
        own = np.maximum(1, np.round(UTTERANCES * scale)).astype(int)
        return own[:, None] * np.ones(CLASSES, int)
    n = np.zeros((speakers, CLASSES), int)
    own = np.maximum(1, np.round(UTTERANCES * np.exp(generator.normal(0, 0.7, speakers)))).astype(int)
    n[np.arange(speakers), np.arange(speakers) % CLASSES] = own
    return n


def intervals(n, hits):
    """(low, high) of each estimator; None where it has none."""
    speakers = len(n)
    total = n.sum(axis=0)
    recall = hits.sum(axis=0) / total
    score = recall.mean()
    a, b = n / total, n / total / CLASSES
    u = (hits / total / CLASSES - b * recall).sum(axis=1)
    with np.errstate(all="ignore"):
        without = np.nanmean(np.where(total > n, (hits.sum(axis=0) - hits) / (total - n), np.nan), axis=1)
    jackknife = (speakers - 1) / speakers * ((without - without.mean()) ** 2).sum()
    plain = speakers / (speakers - 1) * (u**2).sum()
    m = (np.eye(speakers)[:, :, None] - a[None]) * b[:, None, :]
    m = m.reshape(speakers, speakers * CLASSES)
    sigma = np.kron(np.eye(speakers), SHARED + (1 - SHARED) * np.eye(CLASSES))
    k = m @ sigma @ m.T
    trace = np.trace(k)
    if trace < 1e-12:
        return [None] * 5
    degrees = trace**2 / (k**2).sum()
    corrected = (u**2).sum() * (b.reshape(-1) @ sigma @ b.reshape(-1)) / trace

    def straight(variance, df):
        half = stats.t.ppf(0.975, df) * np.sqrt(variance)
        return score - half, score + half

    found = [
        straight(jackknife, speakers - 1),
        straight(plain, speakers - 1),
        straight(plain, degrees),
        straight(corrected, degrees),
    ]
    if degrees < 1.5:
        return [*found, None]
    if not 0 < score < 1 or corrected < 1e-24:
        return [*found, (score, score)]
    z = np.log(score / (1 - score))
    half = stats.t.ppf(0.975, degrees) * np.sqrt(corrected) / (score * (1 - score))
    return [*found, (1 / (1 + np.exp(half - z)), 1 / (1 + np.exp(-half - z)))]


def levels(speakers, recalls, spread):
    """Recalls of each speaker and class: beta, half of the variation shared between a speaker's classes."""
    normal = np.sqrt(0.5) * generator.normal(size=(speakers, 1)) + np.sqrt(0.5) * generator.normal(size=(speakers, CLASSES))
    variance = np.minimum(spread**2, 0.6 * recalls * (1 - recalls))
    size = recalls * (1 - recalls) / variance - 1
    return stats.beta.ppf(stats.norm.cdf(normal), recalls * size, (1 - recalls) * size)


simulations = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
print("| utterances | recall | speakers | jackknife, t(G − 1) | linearised, t(G − 1) | linearised, t(df) | corrected, t(df) | + logit |")
print("|---|---|---:|---:|---:|---:|---:|---:|")
for design in ("equal", "unequal", "class-pure"):
    for mean, spread in ((0.6, 0.15), (0.9, 0.08)):
        for speakers in (5, 6, 10, 20, 40):
            recalls = mean + np.array([-0.1, 0, 0.03, 0.07]) * min(1, (1 - mean) / 0.1)
            held, made = np.zeros(5), np.zeros(5)
            for _ in range(simulations):
                n = sizes(design, speakers)
                hits = generator.binomial(n, levels(speakers, recalls, spread))
                for i, found in enumerate(intervals(n, hits)):
                    if found is not None:
                        made[i] += 1
                        held[i] += found[0] <= recalls.mean() <= found[1]
            cells = [f"{100 * h / m:.1f}" if m > 20 else "–" for h, m in zip(held, made)]
            print(f"| {design} | {mean:.0%} | {speakers} | {' | '.join(cells)} |".replace("%", " %"), flush=True)
