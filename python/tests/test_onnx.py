"""The probe as ONNX in onnxruntime."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import emobox

HEADS = [None, "mean-linear", "linear-relu-statistics-linear", "linear-relu-attention-linear"]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("normalisation", ["utterance", "frame", "none"])
def test_onnxruntime_gives_the_probes_probabilities(head: str | None, layers: int, normalisation: str) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    draw = np.random.default_rng(0)
    arrays = [(draw.normal(size=(layers, 5 + at, 24)) * 2 + at % 3).astype(np.float32) for at in range(24)]
    labels = [("a", "b", "c")[at % 3] for at in range(24)]
    probe = emobox.Probe.fit(arrays, labels, epochs=3, head=head, normalisation=normalisation)  # type: ignore[arg-type]
    session = onnxruntime.InferenceSession(probe.onnx(), providers=["CPUExecutionProvider"])
    for states, expected in zip(arrays, probe.predict_log_proba(arrays)):
        given = states[0] if layers == 1 else states
        [found] = session.run(["log_probabilities"], {"states": given})
        # Rounding to f16 lies between: a value at the edge of two may round the other way.
        np.testing.assert_allclose(found[0], expected, atol=2e-3)
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["classes"]) == probe.classes and told["sample_rate"] == "16000"


def test_a_fitted_model_and_its_encoder_in_onnxruntime(demo: emobox.Manifest, store: emobox.FeatureStore, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    probe = emobox.Probe.fit(store, {u.key: u.label for u in demo}, epochs=20)
    path = tmp_path / "probe.onnx"
    path.write_bytes(probe.onnx())
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    encoder = emobox.Encoder("fbank")
    keys = [u.key for u in demo][:20]
    found = [session.run(None, {"states": encoder(demo.path(key))[0]})[0].argmax() for key in keys]
    assert [probe.classes[best] for best in found] == probe.predict(store, keys)
