"""Goldens of log-mel spectra for crates/audio/tests/log_mel.rs.

    /opt/parity/bin/python parity/audio/log_mel.py

`whisper`: WhisperFeatureExtractor with 80 and 128 bands on noise that the test makes too, one piece shorter
than 30 s and one longer; 400 values of each spectrum. `fbank`: the definition in `fbank.rs` written out in
NumPy in f64 over transformers' mel filters, its deltas by torchaudio; every value of a 0.2-s piece.
"""

import numpy as np
import torch
import transformers
from common import noise, positions, torchaudio, write_golden
from transformers.audio_utils import mel_filter_bank


def waveform(seed, length):
    """Noise whose level rises and falls, so that no frame is like another."""
    envelope = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / 4096)
    return (noise(seed, length) / 32768 * envelope).astype(np.float32)


def whisper(seed, length, bands):
    extractor = transformers.WhisperFeatureExtractor(feature_size=bands)
    features = extractor(waveform(seed, length), sampling_rate=16000, return_tensors="np").input_features[0]
    assert features.shape == (bands, 3000)
    flat = features.ravel()
    values = [float(flat[i]) for i in positions(flat.size, 400)]
    return {"seed": seed, "length": length, "bands": bands, "mean": float(features.mean(dtype=np.float64)), "values": values}


def fbank(seed, length):
    hop, window, fft, bands = 320, 640, 1024, 80
    samples = waveform(seed, length).astype(np.float64)
    padded = np.concatenate([np.zeros(window), samples, np.zeros(window)])
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    filters = mel_filter_bank(fft // 2 + 1, bands, 0, 8000, 16000, norm="slaney", mel_scale="slaney")
    rows = []
    for frame in range(length // hop):
        start = window + frame * hop + hop // 2 - window // 2
        power = np.abs(np.fft.rfft(padded[start : start + window] * hann, fft)) ** 2
        rows.append(np.log(np.maximum(power @ filters, 1e-10)))
    static = torch.from_numpy(np.array(rows).T)
    first = torchaudio.functional.compute_deltas(static, win_length=5, mode="replicate")
    second = torchaudio.functional.compute_deltas(first, win_length=5, mode="replicate")
    features = torch.cat([static, first, second]).T.float().numpy()
    return {"seed": seed, "length": length, "frames": len(features), "values": [round(float(x), 6) for x in features.ravel()]}


def main():
    write_golden(
        "log_mel.json",
        "log_mel.py",
        {
            "whisper": [whisper(1, 50_000, 80), whisper(2, 490_000, 80), whisper(3, 479_950, 128)],
            "fbank": [fbank(4, 3_300)],
        },
        transformers=transformers.__version__,
    )


main()
