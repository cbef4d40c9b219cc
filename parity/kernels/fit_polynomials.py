"""Fits the polynomials of crates/kernels/src/functions.rs; prints Rust constants and the error of the fit.

Run: /opt/parity/bin/python parity/kernels/fit_polynomials.py
Deterministic: no data, no random numbers. Needs numpy and mpmath (60 digits).

exp   e^r = 1 + r + r^2 q(r) on |r| <= ln(2)/2, relative error, Remez exchange.
tail  Phi(-z) = exp(-z^2/2) * t * p(t) with t = 1 / (1 + c z), relative error, on 0 <= z <= 14.
"""

import mpmath as mp
import numpy as np

mp.mp.dps = 60


def remez(target, basis, weight, low, high, count):
    """Coefficients of `sum c_i basis_i(x)` with the smallest maximum of weight(x) * |target - fit|."""
    n = count
    nodes = [low + (high - low) * (1 - mp.cos(mp.pi * mp.mpf(i) / n)) / 2 for i in range(n + 1)]
    grid = [low + (high - low) * mp.mpf(i) / 3000 for i in range(3001)]
    tables = [(x, target(x), weight(x), [basis(i, x) for i in range(n)]) for x in grid]
    for _ in range(30):
        rows = mp.matrix(n + 1, n + 1)
        right = mp.matrix(n + 1, 1)
        for k, x in enumerate(nodes):
            for i in range(n):
                rows[k, i] = basis(i, x)
            rows[k, n] = (-1) ** k / weight(x)
            right[k] = target(x)
        solved = mp.lu_solve(rows, right)
        coefficients = [solved[i] for i in range(n)]
        errors = [w * (t - mp.fdot(coefficients, b)) for x, t, w, b in tables]
        # One extremum of each run of equal sign.
        picks, start = [], 0
        for i in range(1, len(grid) + 1):
            if i == len(grid) or (errors[i] > 0) != (errors[start] > 0):
                picks.append(max(range(start, i), key=lambda j: abs(errors[j])))
                start = i
        while len(picks) > n + 1:
            picks.pop(0 if abs(errors[picks[0]]) < abs(errors[picks[-1]]) else -1)
        if len(picks) < n + 1:
            break
        worst, least = max(abs(errors[j]) for j in picks), min(abs(errors[j]) for j in picks)
        nodes = [grid[j] for j in picks]
        if worst / least < 1.01:
            break
    return coefficients, max(abs(e) for e in errors)


def show(name, coefficients):
    print(f"{name}: [f32; {len(coefficients)}] = [")
    for c in coefficients:
        print(f"    {np.float32(float(c))!r},".replace("np.float32(", "").replace(")", ""))
    print("];")


def tail(z):
    return mp.erfc(z / mp.sqrt(2)) / 2 * mp.exp(z * z / 2)


def main():
    print("mpmath", mp.__version__, "numpy", np.__version__)
    half = mp.log(2) / 2
    # The weight of q vanishes at 0, which Remez does not like; the Chebyshev fit is as good here.
    q = mp.chebyfit(lambda r: (mp.exp(r) - 1 - r) / r**2 if r else mp.mpf(1) / 2, [-half, half], 5)[::-1]
    points = [half * mp.mpf(i) / 1000 for i in range(-1000, 1001)]
    fit = lambda r: 1 + r + sum(c * r ** (i + 2) for i, c in enumerate(q))
    print(f"// relative error {float(max(abs(fit(r) / mp.exp(r) - 1) for r in points)):.2e}")
    show("EXP", q)
    c = mp.mpf(3) / 10
    z = lambda t: (1 / t - 1) / c
    p, error = remez(
        lambda t: tail(z(t)),
        lambda i, t: t ** (i + 1),
        lambda t: 1 / tail(z(t)),
        1 / (1 + 14 * c),
        mp.mpf(1),
        8,
    )
    print(f"// c = {float(c)}, relative error {float(error):.2e}")
    show("TAIL", p)


main()
