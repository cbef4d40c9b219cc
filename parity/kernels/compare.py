"""One core: the products and attention of crates/kernels beside PyTorch's, interleaved, as ratios.

    cargo bench -p emobox-kernels --bench gemm --no-run
    /opt/parity/bin/python parity/kernels/compare.py target/release/deps/gemm-<hash> [--rounds 5]

Both sides measure processor time of one thread and keep the best of many runs in each round; the table shows the best
round of each, because other work on the machine only ever adds time. `torch` is F.linear (MKL for f32, oneDNN for
bf16), `onednn` the same product on oneDNN's blocked layout with pre-packed weights.
"""

import argparse
import os
import re
import subprocess
import time

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

torch.set_num_threads(1)
torch.manual_seed(1)
torch.set_grad_enabled(False)

LINE = re.compile(r"(\S+) (f32|bf16) (\S+) (\S+)\s+([\d.]+) GFLOP/s of\s+([\d.]+)")
SECONDS = 0.4


def best(operations, work):
    """GFLOP/s of the best run that fits the time (at least five)."""
    begin, least, runs = time.monotonic(), float("inf"), 0
    work()
    while runs < 5 or time.monotonic() - begin < SECONDS:
        start = time.thread_time()
        work()
        least = min(least, time.thread_time() - start)
        runs += 1
    return operations / least / 1e9


def peers(precision, what, shape):
    """(name, GFLOP/s) of each peer for a line of the bench."""
    dtype = torch.float32 if precision == "f32" else torch.bfloat16
    sizes = [int(size) for size in shape.split("x")]
    if what in ("linear", "gelu"):
        rows, inputs, outputs = sizes
        x = torch.randn(rows, inputs, dtype=dtype)
        weight, bias = torch.randn(outputs, inputs, dtype=dtype), torch.randn(outputs, dtype=dtype)
        after = F.gelu if what == "gelu" else lambda y: y
        operations = 2.0 * rows * inputs * outputs
        yield "torch", best(operations, lambda: after(F.linear(x, weight, bias)))
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
        kind = "gelu" if what == "gelu" else "none"
        fused = lambda: torch.ops.mkldnn._linear_pointwise(x, packed, bias, kind, [], "none")
        yield "onednn", best(operations, fused)
    elif what == "attention":
        frames, heads, dim = sizes
        q, k, v = (torch.randn(1, heads, frames, dim, dtype=dtype) for _ in range(3))
        operations = 4.0 * frames * frames * heads * dim
        yield "torch", best(operations, lambda: F.scaled_dot_product_attention(q, k, v))
    elif what == "positional":
        frames, channels = sizes
        x = torch.randn(1, channels, frames, dtype=dtype)
        weight = torch.randn(channels, channels // 16, 128, dtype=dtype)
        operations = 2.0 * frames * channels * channels // 16 * 128
        yield "torch", best(operations, lambda: F.conv1d(x, weight, padding=64, groups=16))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bench")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--path", default="avx512bf16")
    arguments = parser.parse_args()
    print("torch", torch.__version__, "| onednn", torch.backends.mkldnn.is_available(), "| one thread")
    table = {}
    for _ in range(arguments.rounds):
        for what in ("linear", "gelu", "attention", "positional"):
            out = subprocess.run([arguments.bench, arguments.path, what], capture_output=True, text=True, check=True)
            for _, precision, kind, shape, speed, peak in LINE.findall(out.stdout):
                row = table.setdefault((precision, kind, shape), {})
                row["ours"] = max(row.get("ours", 0), float(speed))
                row["peak"] = max(row.get("peak", 0), float(peak))
                for name, speed in peers(precision, kind, shape):
                    row[name] = max(row.get(name, 0), speed)
    print(f"{'':38} {'ours':>8} {'of peak':>8} {'torch':>8} {'ratio':>6} {'onednn':>8} {'ratio':>6}")
    for key, row in table.items():
        line = f"{' '.join(key):38} {row['ours']:8.1f} {row['ours'] / row['peak']:8.1%}"
        for name in ("torch", "onednn"):
            if name in row:
                line += f" {row[name]:8.1f} {row['ours'] / row[name]:6.2f}"
        print(line)


main()
