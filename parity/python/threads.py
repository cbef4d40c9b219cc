"""How much more two Python threads encode than one: `python parity/python/threads.py WHISPER_FOLDER`, with the wheel installed.

Takes turns between one thread and two, the same work each, and prints the ratio of the medians of what is done a second.
"""

import statistics
import sys
import threading
import time

import emobox
import numpy as np

encoder = emobox.Encoder("whisper-tiny.en", sys.argv[1])
audio = np.random.default_rng(0).normal(scale=0.1, size=16_000 * 10).astype(np.float32)


def seconds(threads):
    def work():
        for _ in range(4):
            encoder(audio, layers="last")

    running = [threading.Thread(target=work) for _ in range(threads)]
    start = time.perf_counter()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return time.perf_counter() - start


seconds(2)
rounds = [(seconds(1), seconds(2)) for _ in range(9)]
one, two = (statistics.median(times) for times in zip(*rounds))
best = max(2 * a / b for a, b in rounds)
print(f"one thread {one:.3f} s, two {two:.3f} s for twice the work: {2 * one / two:.2f} times (best round {best:.2f})")
