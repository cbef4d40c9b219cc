"""What makes 95 % intervals of UA hold with few speakers where one in five is far harder than the rest, and what each way costs where
speakers differ as they usually do: coverage and width of the method in use and of others, on the same draws.

Run: python parity/score/stress.py [SIMULATIONS] (versions: parity/score/requirements.txt)
Prints the table of alternatives of docs/statistics.md. Seeded; apart from the program (parity/score/inference.py has its goldens).

All rest on the standard error over speakers with Bell and McCaffrey's correction and Satterthwaite's degrees, but for the last two,
which are defined for equal weights alone:
  in use: the variance between speakers is taken as at least 0.4 (1 - 2p)^2 (p (1 - p))^1.5; t on the logit scale
  no floor: the same without that, as the program did before
  floor of constant correlation: at least 0.08 (1 - 2p)^2 p (1 - p); floor of constant logits: at least 2 (1 - 2p)^2 (p (1 - p))^2
  arcsine: at least 0.12 (1 - 2p)^2 p (1 - p), with t on the scale of asin(sqrt(p))
  prior: the variance is a mean of the one seen and 0.2 p (1 - p), with 5 degrees (Smyth's moderated t, 2004), on the same scale
  invented speaker, and half and a third of one: t on the speakers and on one who is right in half of all (the idea of Agresti and
  Coull, "Approximate is better than 'exact'", Am. Stat. 52, 1998)
  pooled speaker: the same with one who is as good as the others together
  four utterances: half of four utterances more are right in every class (Agresti and Coull's, as it is for independent ones)
  half the degrees: no floor, with half the degrees of freedom
  skewness: Hall's transformation of t ("On the removal of skewness by transformation", J. R. Statist. Soc. B 54, 1992)
  without assumptions: Gaffke's bound of the mean of numbers between 0 and 1 ("Three test statistics for a nonparametric one-sided
  hypothesis on the mean of a nonnegative variable", Math. Methods Statist. 14, 2005)

Draws in which everything is right have no measured interval with any of them and are left out, as are those of fewer than 1.5 degrees.
"""

import sys

import numpy as np
from scipy import stats

UTTERANCES, SHARED = 10, 0.5
generator = np.random.default_rng(20261127)
SKILLS = ["60 %", "60 %, far apart", "90 %", "90 %, one in five hard", "97 %", "97 %, one in five hard"]


def recalls(skill, classes):
    place = np.linspace(-1, 1, classes)
    return 0.6 + 0.1 * place if skill.startswith("60") else 1 - (0.1 if skill.startswith("90") else 0.03) * (1 - place / 2)


def levels(skill, shape):
    """True recall of each speaker and class, as crates/score/examples/coverage draws them."""
    draws, speakers, classes = shape
    expected = recalls(skill, classes)
    one = (draws, speakers, 1)
    if skill.startswith("60"):
        shared, own = generator.uniform(-1, 1, one), generator.uniform(-1, 1, shape)
        return np.clip(expected + (0.15 * (shared + own) if skill == "60 %" else 0.3 * shared + 0.1 * own), 0, 1)
    if skill.endswith("hard"):
        return 1 - (1 - expected) * np.where(generator.random(one) < 0.2, 3.0, 0.5)
    return np.clip(1 - (1 - expected) * generator.exponential(size=(*one, 2)).mean(axis=-1), 0, 1)


def sizes(design, shape):
    draws, speakers, classes = shape
    if design == "equal":
        return np.full(shape, UTTERANCES)
    if design == "unequal":
        own = np.maximum(1, np.round(UTTERANCES * np.exp(generator.normal(size=(draws, speakers)) - 0.5))).astype(int)
        return np.repeat(own[:, :, None], classes, axis=2)
    n, place = np.zeros(shape, int), np.arange(speakers)
    if design == "class-pure":
        n[:, place, place % classes] = np.maximum(1, np.round(UTTERANCES * np.exp(0.7 * generator.normal(size=(draws, speakers)))))
        return n
    n[:, place, place % classes] = UTTERANCES
    n[:, :3] = UTTERANCES
    return n


def estimate(n, hits):
    """Score, variance, degrees and the sum of squared weights of every draw."""
    total = n.sum(axis=1, keepdims=True)
    classes = (total > 0).sum(axis=2, keepdims=True)
    with np.errstate(all="ignore"):
        a = np.where(total > 0, n / total, 0)
        recall = np.where(total > 0, hits.sum(axis=1, keepdims=True) / total, 0)
        u = (np.where(total > 0, hits / total, 0) / classes - a / classes * recall).sum(axis=2)
    b = a / classes
    k, shared = 0, 0
    for c in range(n.shape[2]):
        m = b[:, :, c, None] * (np.eye(n.shape[1]) - a[:, None, :, c])
        shared, k = shared + m, k + (1 - SHARED) * m @ m.transpose(0, 2, 1)
    k = k + SHARED * shared @ shared.transpose(0, 2, 1)
    truth = (SHARED * b.sum(axis=2) ** 2 + (1 - SHARED) * (b**2).sum(axis=2)).sum(axis=1)
    trace = np.trace(k, axis1=1, axis2=2)
    known = trace > 1e-12 * truth
    with np.errstate(all="ignore"):
        variance = np.where(known, (u**2).sum(axis=1) * truth / trace, 0)
        degrees = np.where(known, trace**2 / (k**2).sum(axis=(1, 2)), 0)
    return recall.sum(axis=(1, 2)) / classes[:, 0, 0], variance, degrees, (b.sum(axis=2) ** 2).sum(axis=1)


def straight(p, variance, degrees):
    half = stats.t.ppf(0.975, degrees) * np.sqrt(variance)
    return p - half, p + half


def logit(p, variance, degrees):
    half = stats.t.ppf(0.975, degrees) * np.sqrt(variance) / (p * (1 - p))
    middle = np.log(p / (1 - p))
    return 1 / (1 + np.exp(half - middle)), 1 / (1 + np.exp(-half - middle))


def arcsine(p, variance, degrees):
    half = stats.t.ppf(0.975, degrees) * np.sqrt(variance / (p * (1 - p))) / 2
    middle = np.arcsin(np.sqrt(p))
    return np.sin(np.maximum(middle - half, 0)) ** 2, np.sin(np.minimum(middle + half, np.pi / 2)) ** 2


def invented(n, hits, weight, pooled=False):
    extra = weight * n.mean(axis=1, keepdims=True)
    rate = hits.sum(axis=1, keepdims=True) / np.maximum(n.sum(axis=1, keepdims=True), 1) if pooled else 0.5
    joined = np.concatenate([n, extra], axis=1), np.concatenate([hits, rate * extra], axis=1)
    return straight(*estimate(*joined)[:3])


def utterances(n, hits):
    extra = 4 * n / np.maximum(n.sum(axis=1, keepdims=True), 1)
    return logit(*estimate(n + extra, hits + extra / 2)[:3])


def hall(rates, p, variance, degrees):
    q = stats.skew(rates, axis=1, bias=False) / np.sqrt(rates.shape[1])
    q = np.where(np.abs(q) < 1e-6, 1e-6, q)
    t, error = stats.t.ppf(0.975, degrees), np.sqrt(variance)
    back = lambda x: 3 / q * (np.cbrt(1 + q * (x - q / 6)) - 1)
    return p - error * back(t), p - error * back(-t)


def gaffke(rates):
    def low(values):
        spacings = generator.dirichlet(np.ones(rates.shape[1] + 1), size=500)
        ends = np.concatenate([np.zeros((len(values), 1)), np.sort(values, axis=1)], axis=1)
        return np.quantile(ends @ spacings.T, 0.025, axis=1)

    return low(rates), 1 - low(1 - rates)


def methods(n, hits, equal):
    p, v, df, w = estimate(n, hits)
    spread, away = p * (1 - p), (1 - 2 * p) ** 2

    def floor(scale, exponent):
        return np.maximum(v, scale * away * spread**exponent * w)

    found = {
        "in use": logit(p, floor(0.4, 1.5), df),
        "no floor": logit(p, v, df),
        "floor of constant correlation": logit(p, floor(0.08, 1), df),
        "floor of constant logits": logit(p, floor(2, 2), df),
        "arcsine": arcsine(p, floor(0.12, 1), df),
        "prior": arcsine(p, (5 * 0.2 * spread * w + df * v) / (5 + df), df + 5),
        "invented speaker": invented(n, hits, 1),
        "half of one": invented(n, hits, 0.5),
        "a third of one": invented(n, hits, 0.35),
        "pooled speaker": invented(n, hits, 1, pooled=True),
        "four utterances": utterances(n, hits),
        "half the degrees": logit(p, v, df / 2),
    }
    if equal:
        rates = (hits / n).mean(axis=2)
        found["skewness"] = hall(rates, p, v, df)
        found["without assumptions"] = gaffke(rates)
    return p, df, found


simulations = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
coverage, width = {}, {}
for design in ("equal", "unequal", "class-pure", "3 whole"):
    for skill in SKILLS:
        for classes in (2, 4, 7):
            for speakers in (5, 6, 8, 10, 12, 15, 20, 30):
                if design == "class-pure" and speakers < 2 * classes - 1:
                    continue
                shape = simulations, speakers, classes
                n = sizes(design, shape)
                hits = generator.binomial(n, levels(skill, shape))
                present = n.sum(axis=1) > 0
                truth = (present * recalls(skill, classes)).sum(axis=1) / present.sum(axis=1)
                with np.errstate(all="ignore"):
                    p, degrees, found = methods(n, hits, design == "equal")
                kept = (degrees >= 1.5) & (p < 1 - 1e-9)
                if kept.sum() < 20:
                    continue
                for name, (low, high) in found.items():
                    low, high = np.clip(np.fmin(low, p), 0, 1), np.clip(np.fmax(high, p), 0, 1)
                    inside = (low <= truth + 1e-12) & (truth <= high + 1e-12)
                    coverage.setdefault(name, []).append((inside[kept].mean(), design, skill, classes, speakers))
                    if (design, classes) == ("equal", 4):
                        width[name, skill, speakers] = 100 * np.median((high - low)[kept])
shown = ["60 %", "60 %, far apart", "90 %", "90 %, one in five hard", "97 %"]
print(f"| method | lowest coverage | where | cells below 93 % | {' | '.join(shown)} |")
print(f"|---|---:|---|---:|{'---:|' * len(shown)}")
for name, cells in coverage.items():
    lowest = min(cells)
    where = f"{lowest[1]}, {lowest[2]}, {lowest[3]} classes, {lowest[4]} speakers"
    few = sum(cell[0] < 0.93 for cell in cells)
    widths = [" / ".join(f"{width[name, skill, g]:.0f}" for g in (5, 10, 20)) for skill in shown]
    print(f"| {name} | {100 * lowest[0]:.1f} | {where} | {few} of {len(cells)} | {' | '.join(widths)} |")
