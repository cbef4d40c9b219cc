"""Coverage and width of nominal 95 % intervals of UA where one speaker in five is far harder than the rest, by the method in use
and by candidates that might do better with few speakers; and what these cost where speakers differ as they usually do.

Run: python parity/score/stress.py [SIMULATIONS] (versions: parity/score/requirements.txt)
Prints the third table of docs/statistics.md. Seeded. Every speaker says ten utterances of each of four classes, so that UA is the
mean over speakers and the correction for unequal weights changes nothing.

In use: t on G - 1 on the logit scale. Half the degrees: the same with (G - 1) / 2. Skewness: Hall's transformation of t ("On the
removal of skewness by transformation", J. R. Statist. Soc. B 54, 1992). One more speaker: t on the speakers and an invented one at
50 % (the idea of Agresti and Coull, "Approximate is better than 'exact'", Am. Stat. 52, 1998, for clusters). Without assumptions:
Gaffke's bound of the mean of numbers between 0 and 1 ("Three test statistics for a nonparametric one-sided hypothesis on the mean
of a nonnegative variable", Math. Methods Statist. 14, 2005), the narrowest that is known to hold for any distribution.
"""

import sys

import numpy as np
from scipy import stats

UTTERANCES = 10
DRAWS = 1000
generator = np.random.default_rng(20261127)
MIDDLE = np.array([0.5, 0.6, 0.63, 0.67])
HIGH = np.array([0.85, 0.9, 0.92, 0.93])


def levels(kind, speakers):
    """True recall of each speaker and class, as crates/score/examples/coverage.rs draws them."""
    effect = generator.uniform(-1, 1, (speakers, 1)) + generator.uniform(-1, 1, (speakers, 4))
    if kind == "60 %":
        return MIDDLE + 0.15 * effect
    if kind == "90 %":
        times = generator.exponential(size=(speakers, 2)).mean(axis=1)
        return 1 - (1 - HIGH) * times[:, None]
    hard = np.where(generator.random(speakers) < 0.2, -4, 1)
    return HIGH + 0.05 * hard[:, None] + 0.005 * effect


def logit_t(mean, error, quantile):
    if not 0 < mean < 1 or error < 1e-9:
        return mean, mean
    half = quantile * error / (mean * (1 - mean))
    middle = np.log(mean / (1 - mean))
    return 1 / (1 + np.exp(half - middle)), 1 / (1 + np.exp(-half - middle))


def hall(scores, error, quantile):
    if error < 1e-9:
        return scores.mean(), scores.mean()
    q = stats.skew(scores, bias=False) / np.sqrt(len(scores))
    if abs(q) < 1e-9:
        return scores.mean() - quantile * error, scores.mean() + quantile * error
    back = lambda x: 3 / q * (np.cbrt(1 + q * (x - q / 6)) - 1)
    return scores.mean() - error * back(quantile), scores.mean() - error * back(-quantile)


def one_more(scores, quantile):
    scores = np.append(scores, 0.5)
    half = quantile * scores.std(ddof=1) / np.sqrt(len(scores))
    return scores.mean() - half, scores.mean() + half


def gaffke(scores):
    def low(values):
        spacings = generator.dirichlet(np.ones(len(values) + 1), size=DRAWS)
        return np.quantile(spacings @ np.append(0, np.sort(values)), 0.025)

    return low(scores), 1 - low(1 - scores)


simulations = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
names = ["in use", "half the degrees", "skewness", "one more speaker", "without assumptions"]
print(f"| recall | speakers | {' | '.join(names)} |")
print(f"|---|---:|{'---:|' * len(names)}")
for kind in ("60 %", "90 %", "90 %, one in five hard"):
    truth = (MIDDLE if kind == "60 %" else HIGH).mean()
    for speakers in (5, 6, 8, 10, 15, 20, 30, 40, 50):
        held = np.zeros(len(names))
        widths = [[] for _ in names]
        whole, half = stats.t.ppf(0.975, speakers - 1), stats.t.ppf(0.975, (speakers - 1) / 2)
        for _ in range(simulations):
            recalls = np.clip(levels(kind, speakers), 0, 1)
            scores = (generator.binomial(UTTERANCES, recalls) / UTTERANCES).mean(axis=1)
            error = scores.std(ddof=1) / np.sqrt(speakers)
            found = [
                logit_t(scores.mean(), error, whole),
                logit_t(scores.mean(), error, half),
                hall(scores, error, whole),
                one_more(scores, whole),
                gaffke(scores),
            ]
            for i, (low, high) in enumerate(found):
                held[i] += low <= truth <= high
                widths[i].append(min(high, 1) - max(low, 0))
        cells = [f"{100 * h / simulations:.1f} ({100 * np.median(w):.0f})" for h, w in zip(held, widths)]
        print(f"| {kind} | {speakers} | {' | '.join(cells)} |", flush=True)
