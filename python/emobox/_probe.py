from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _emobox
from ._progress import ProgressLike, callback
from ._store import FeatureStore

Features = Union[FeatureStore, Mapping[str, ArrayLike], Sequence[ArrayLike]]
"""A feature store; or hidden states as `Encoder` gives them, ``[layer, frame, dim]`` or ``[frame, dim]`` each."""

Labels = Union[Mapping[str, str], Sequence[str]]


class Probe:
    """A small head on frozen features: the benchmark's own training, its sweep of learning rates and hidden sizes,
    selected on a validation part.

    ``Probe.fit(store, labels)`` with a mapping of key to label trains on those utterances of a feature store;
    ``Probe.fit(arrays, labels)`` on hidden states in memory, which are normalised as a store's would be.
    """

    def __init__(self, inner: _emobox.Probe) -> None:
        self._inner = inner
        self.description: dict[str, Any] = json.loads(inner.description())
        curves = inner.curves()
        self.curves: list[dict[str, Any]] = json.loads(curves) if curves is not None else []

    @classmethod
    def fit(
        cls,
        features: Features,
        labels: Labels,
        *,
        speakers: Mapping[str, str | None] | Sequence[str | None] | None = None,
        valid: Sequence[str] | Sequence[int] = (),
        protocol: Literal["strict", "paper"] = "strict",
        head: str | None = None,
        epochs: int | None = None,
        seed: int = 1,
        normalisation: Literal["utterance", "frame", "none"] = "utterance",
        threads: int | None = None,
        progress: ProgressLike = None,
    ) -> Probe:
        """Trains. ``labels`` name the class of every utterance, by key or by position; ``speakers`` likewise, so that
        the validation part (20 %) shares no speaker with the rest; or ``valid`` names the keys or positions of a
        validation part of your own. ``head`` and ``epochs`` depart from the protocol.

        Raises `ProbeError` for data on which no probe can be trained.
        """
        keys = _keys(features, labels)
        named = _by_key(labels, keys, "labels")
        voices = _by_key(speakers, keys, "speakers") if speakers is not None else dict.fromkeys(keys)
        held_out = {keys[one] if isinstance(one, int) else one for one in valid}
        unknown = held_out - set(keys)
        if unknown:
            raise ValueError(f"valid: {sorted(unknown)[0]!r} has no label")
        classes = sorted({str(label) for label in named.values()})
        order = sorted(keys)
        request = {
            "corpus": features.header["corpus"] if isinstance(features, FeatureStore) else "arrays",
            "classes": classes,
            "items": [
                (key, classes.index(str(named[key])), voices[key], "valid" if key in held_out else "train")
                for key in order
            ],
            "protocol": protocol,
            "head": head,
            "epochs": epochs,
            "seed": seed,
            "normalisation": normalisation,
            "threads": threads or os.cpu_count() or 1,
        }
        text, tell = json.dumps(request), callback(progress)
        if isinstance(features, FeatureStore):
            return cls(_emobox.Probe.fit_store(text, features._inner, tell))
        arrays = _arrays(features, keys)
        return cls(_emobox.Probe.fit_arrays(text, [arrays[key] for key in order], tell))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Probe:
        """Reads the folder of a probe that `save`, `bench` or the command line wrote."""
        return cls(_emobox.Probe.load(Path(path)))

    def save(self, path: str | PathLike[str]) -> None:
        """Writes ``probe.safetensors`` and ``probe.json`` into a folder."""
        self._inner.save(Path(path))

    def onnx(self) -> bytes:
        """The probe as an ONNX model: from ``states`` ``[frame, dim]`` (``[layer, frame, dim]`` where it reads several layers), as `Encoder`
        gives them, to ``log_probabilities`` ``[1, class]``. Normalisation is part of it; its metadata name classes, encoder and layers."""
        return self._inner.onnx()

    @property
    def classes(self) -> list[str]:
        """The classes, in the order of the columns of `predict_log_proba`."""
        return list(self.description["classes"])

    def predict(self, features: Features, keys: Sequence[str] | None = None) -> list[str]:
        """The most probable class of every utterance; the earlier one at a tie."""
        classes = self.classes
        return [classes[best] for best in self.predict_log_proba(features, keys).argmax(axis=1)]

    def predict_proba(self, features: Features, keys: Sequence[str] | None = None) -> NDArray[np.float64]:
        """The probabilities of the classes, ``[utterance, class]``."""
        return np.asarray(np.exp(self.predict_log_proba(features, keys)))

    def predict_log_proba(self, features: Features, keys: Sequence[str] | None = None) -> NDArray[np.float64]:
        """Their natural logarithms, ``[utterance, class]``. ``keys`` choose from a store or a mapping, in their order;
        without them all are predicted."""
        if isinstance(features, FeatureStore):
            data = self._inner.predict_store(features._inner, list(features if keys is None else keys))
        else:
            if keys is not None and not isinstance(features, Mapping):
                raise ValueError("keys: the features are a sequence, which has none")
            chosen = list(keys) if keys is not None else _positions(features)
            arrays = _arrays(features, chosen)
            data = self._inner.predict_arrays([arrays[key] for key in chosen])
        return np.frombuffer(data, np.float64).reshape(-1, len(self.classes))

    def __repr__(self) -> str:
        d = self.description
        return (
            f"<Probe on {d['features']['encoder']}: {', '.join(self.classes)}; epoch {d['epoch']}, "
            f"learning rate {d['point']['learning_rate']}, hidden {d['point']['hidden']}>"
        )


def _positions(features: Mapping[str, ArrayLike] | Sequence[ArrayLike]) -> list[str]:
    if isinstance(features, Mapping):
        return list(features)
    return [f"{position:09}" for position in range(len(features))]


def _keys(features: Features, labels: Labels) -> list[str]:
    if isinstance(features, Mapping):
        if not isinstance(labels, Mapping):
            raise ValueError("labels: the features have keys, so expected a mapping of key to label")
        absent = [key for key in labels if key not in features]
        if absent:
            raise ValueError(f"labels: {len(absent)} keys have no features, the first is {absent[0]!r}")
        return list(labels)
    if isinstance(labels, Mapping) or len(labels) != len(features):
        raise ValueError(f"labels: expected a sequence of {len(features)}, one for each array")
    return _positions(features)


def _by_key(values: Mapping[str, Any] | Sequence[Any], keys: list[str], what: str) -> dict[str, Any]:
    if isinstance(values, Mapping):
        return {key: values.get(key) for key in keys}
    if len(values) != len(keys):
        raise ValueError(f"{what}: {len(values)} of them for {len(keys)} utterances")
    return dict(zip(keys, values))


def _arrays(
    features: Mapping[str, ArrayLike] | Sequence[ArrayLike], keys: list[str]
) -> dict[str, tuple[bytes, int, int, int]]:
    found = features if isinstance(features, Mapping) else dict(zip(_positions(features), features))
    made = {}
    for key in keys:
        array = np.asarray(found[key], dtype=np.float32)
        if array.ndim == 2:
            array = array[np.newaxis]
        if array.ndim != 3:
            raise ValueError(f"features of {key!r}: shape {array.shape}, expected [layer, frame, dim] or [frame, dim]")
        made[key] = (array.tobytes(), *array.shape)
    return made
