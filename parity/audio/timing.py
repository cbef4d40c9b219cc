"""Times of crates/audio beside soundfile, torchaudio and transformers on one thread, as ratios.

    cargo build --release -p emobox-audio --example timing
    /opt/parity/bin/python parity/audio/timing.py

20,000 files of 0.2 s for the headers, the first 2,000 of them to be loaded (44.1 kHz to 16 kHz), and one of
10 minutes at 48 kHz. Everything is in the page cache; each figure is the best of three runs.
"""

import os
import pathlib
import subprocess
import tempfile
import time

import numpy as np
import soundfile
import torch
import transformers
from common import ROOT, torchaudio

FILES = 20_000


def best(work, runs=3):
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def load(path):
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return torchaudio.functional.resample(torch.from_numpy(samples[:, 0].copy()), rate, 16000)


def main():
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        small, long = pathlib.Path(folder, "small"), pathlib.Path(folder, "long.wav")
        small.mkdir()
        for i in range(FILES):
            soundfile.write(small / f"{i}.wav", generator.integers(-9999, 9999, 8820, np.int16), 44100)
        soundfile.write(long, generator.integers(-9999, 9999, 600 * 48000, np.int16), 48000)
        files = [os.path.join(small, name) for name in os.listdir(small)]
        extractor = transformers.WhisperFeatureExtractor()
        start = load(long)[:480_000].numpy()
        theirs = {
            "probe": best(lambda: [soundfile.info(file).frames for file in files]),
            "load_small": best(lambda: [load(file) for file in files[:2000]]),
            "load_long": best(lambda: load(long)),
            "whisper_30s": best(lambda: extractor(start, sampling_rate=16000)),
            "whisper_3s": best(lambda: extractor(start[:48_000], sampling_rate=16000)),
        }
        program = ROOT / "target/release/examples/timing"
        lines = subprocess.run([program, small, long], capture_output=True, text=True, check=True).stdout
        ours = {name: float(seconds) for name, seconds in (line.split() for line in lines.splitlines())}
    for name, seconds in ours.items():
        ratio = f"{theirs[name]:9.4f} s  {theirs[name] / seconds:6.1f} x" if name in theirs else ""
        print(f"{name:12} ours {seconds:9.4f} s   Python {ratio}")


torch.set_num_threads(1)
main()
