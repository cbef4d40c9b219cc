"""Goldens of `torchaudio.functional.resample` for crates/audio/tests/resample.rs.

    /opt/parity/bin/python parity/audio/resample.py

A seeded waveform of about 0.09 s at each rate (noise plus a sweep, so that every frequency is there) and
what torchaudio makes of it at 16 kHz. Only every 7th output is stored, with the first and last 64, and the
input is stored as the 16-bit integers it is made of.
"""

import numpy as np
import torch
from common import GOLDEN, torchaudio, write_golden

RATES = [8000, 11025, 22050, 24414, 32000, 44100, 48000, 96000]


def main():
    cases = []
    for rate in RATES:
        generator = np.random.default_rng(rate)
        length = rate * 3 // 100 * 3 + 17
        time = np.arange(length) / rate
        sweep = np.sin(2 * np.pi * (rate / 2) * time**2 / (2 * time[-1]))
        wave = np.clip(0.5 * sweep + 0.15 * generator.standard_normal(length), -1, 1)
        integers = np.round(wave * 32767).astype(np.int16)
        out = torchaudio.functional.resample(
            torch.from_numpy(integers.astype(np.float32) / 32768), rate, 16000
        ).numpy()
        picked = sorted({*range(0, len(out), 7), *range(64), *range(len(out) - 64, len(out))})
        integers.astype("<i2").tofile(GOLDEN / f"resample-{rate}.i16")
        out[picked].astype("<f4").tofile(GOLDEN / f"resample-{rate}.f32")
        cases.append({"rate": rate, "input": length, "output": len(out)})
    write_golden("resample.json", "resample.py", {"every": 7, "edge": 64, "cases": cases})


main()
