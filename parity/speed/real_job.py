"""What the published recipe does, for comparison with `emobox extract`: read, encode one by one, write .npy.

    python parity/speed/real_job.py WHISPER_FOLDER OUT AUDIO_FOLDER...

Reads every .wav below the folders with soundfile (torchaudio where it loads), resamples to 16 kHz, encodes with the
Whisper encoder of transformers in f32 on all cores, one utterance at a time, and writes the frames of the last hidden
state as .npy. Prints utterances, audio hours, seconds, and audio hours a minute, as JSON; loading the model counts, as it does
for emobox.
"""

import json
import math
import os
import pathlib
import sys
import time

START = time.perf_counter()

import numpy as np
import torch

# torchaudio refuses to load beside a PyTorch built for another CUDA; nothing here runs on one.
torch.version.cuda = None
from scipy.signal import resample_poly
from transformers import WhisperFeatureExtractor
from transformers.models.whisper.modeling_whisper import WhisperEncoder

try:
    import torchaudio
except (ImportError, RuntimeError, OSError):  # a torchaudio of another PyTorch
    torchaudio = None
import soundfile


def read(path):
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    samples = samples.mean(axis=1)
    if rate == 16_000:
        return samples
    if torchaudio is not None:
        return torchaudio.functional.resample(torch.from_numpy(samples), rate, 16_000).numpy()
    step = math.gcd(rate, 16_000)
    return resample_poly(samples, 16_000 // step, rate // step).astype(np.float32)


def main():
    weights, out, *folders = sys.argv[1:]
    torch.set_num_threads(os.cpu_count())
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    extractor = WhisperFeatureExtractor.from_pretrained(weights)
    model = WhisperEncoder.from_pretrained(weights).eval()
    samples = utterances = 0
    with torch.inference_mode():
        for folder in folders:
            for path in sorted(pathlib.Path(folder).rglob("*.wav")):
                wave = read(path)
                features = extractor(wave, sampling_rate=16_000, return_tensors="pt").input_features
                frames = min(max(len(wave) // 320, 1), 1500)
                state = model(features).last_hidden_state[0, :frames]
                np.save(out / f"{path.parent.name}-{path.stem}.npy", state.numpy())
                samples += len(wave)
                utterances += 1
    seconds = time.perf_counter() - START
    hours = samples / 16_000 / 3600
    print(json.dumps({"utterances": utterances, "hours": round(hours, 3), "seconds": round(seconds, 1), "hours a minute": round(hours / seconds * 60, 3), "torchaudio": torchaudio is not None}))


main()
