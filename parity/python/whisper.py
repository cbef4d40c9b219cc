"""Encoder("whisper-tiny.en") beside transformers' WhisperModel on ten EmoDB recordings: the largest difference.

    python parity/python/whisper.py [CORPORA/emodb] [WEIGHTS/whisper-tiny.en]

Needs emobox, torch, transformers, librosa. The peer pads to 30 s, runs the encoder with all
hidden states, and cuts to floor(samples / 320) frames, as the benchmark's protocol says.
"""

import sys
from pathlib import Path

import librosa
import numpy as np
import torch

# Not used here, and a torchaudio of another CUDA than torch's stops transformers from importing.
sys.modules["torchaudio"] = None
from transformers import WhisperFeatureExtractor, WhisperModel

import emobox

shared = Path(__file__).resolve().parents[3] / "shared"
corpus = Path(sys.argv[1]) if len(sys.argv) > 1 else shared / "corpora/emodb"
weights = Path(sys.argv[2]) if len(sys.argv) > 2 else shared / "weights/whisper-tiny.en"
# The parity bound of the encoders: the largest difference relative to the largest value.
BOUND = 1e-3

extractor = WhisperFeatureExtractor.from_pretrained(weights)
peer = WhisperModel.from_pretrained(weights, dtype=torch.float32).encoder.eval()
ours = emobox.Encoder("whisper-tiny.en", weights)
worst_absolute = worst_relative = worst_audio = 0.0
for path in sorted(corpus.rglob("*.wav"))[:: max(1, len(list(corpus.rglob("*.wav"))) // 10)][:10]:
    audio, _ = librosa.load(path, sr=16_000, mono=False)
    worst_audio = max(worst_audio, float(np.abs(audio - emobox.load_audio(path)).max()))
    with torch.no_grad():
        features = extractor(audio, sampling_rate=16_000, return_tensors="pt").input_features
        states = peer(features, output_hidden_states=True).hidden_states
    expected = torch.stack(states)[:, 0, : len(audio) // 320].numpy()
    found = ours(path)
    assert found.shape == expected.shape, (found.shape, expected.shape)
    absolute = float(np.abs(found - expected).max())
    relative = float(max(np.abs(f - e).max() / np.abs(e).max() for f, e in zip(found, expected)))
    worst_absolute, worst_relative = max(worst_absolute, absolute), max(worst_relative, relative)
    print(f"{path.name}: {found.shape}, largest difference {absolute:.2e} ({relative:.2e} of the layer's largest value)")
print(f"all ten: {worst_absolute:.2e}, relative {worst_relative:.2e}; audio {worst_audio:.2e}")
sys.exit(worst_relative > BOUND)
