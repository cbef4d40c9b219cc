from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from . import _emobox
from ._encoder import Encoder, _layers
from ._html import table
from ._manifest import Manifest
from ._progress import ProgressLike, callback


class FeatureStore(Mapping[str, "NDArray[np.floating[Any]]"]):
    """The features of a corpus on disk, by key. ``store[key]`` is a read-only view ``[layer, frame, dim]`` (float16
    unless the store was made in f32) of the file itself: nothing is read before it is used, nothing is copied.

    Raises `FileNotFoundError` where there is no store, `FeatureError` where it is incomplete or damaged.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        self._inner = _emobox.FeatureStore(self.path)
        self.header: dict[str, Any] = json.loads(self._inner.header())
        self._keys = self._inner.keys()
        self._files: dict[str, np.memmap[Any, np.dtype[np.uint8]]] = {}

    def __getitem__(self, key: str) -> NDArray[np.floating[Any]]:
        if not self._inner.contains(key):
            reason = self.failures.get(key)
            raise KeyError(f"{key!r} has no features in {self.path}" + (f": {reason}" if reason else ""))
        file, offset, dtype, layers, frames, dim = self._inner.place(key)
        mapped = self._files.get(str(file))
        if mapped is None:
            mapped = self._files[str(file)] = np.memmap(file, np.uint8, mode="r")
        kind: np.dtype[Any] = np.dtype(dtype)
        part = mapped[offset : offset + layers * frames * dim * kind.itemsize]
        return np.asarray(part.view(kind)).reshape(layers, frames, dim)

    def __reduce__(self) -> tuple[Any, ...]:
        # Opened again where it is unpickled: in a spawned worker, on the same files.
        return FeatureStore, (self.path.absolute(),)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._inner.contains(key)

    @property
    def failures(self) -> dict[str, str]:
        """The utterances whose extraction failed, and why."""
        return dict(self._inner.failures())

    def mean(self, keys: Sequence[str], layer: int = -1) -> NDArray[np.float32]:
        """The mean over frames of one stored layer, ``[utterance, dim]``: what a scikit-learn model takes."""
        if len(keys) == 0:
            return np.zeros((0, self.header["dim"]), np.float32)
        return np.stack([self[key][layer].mean(axis=0, dtype=np.float32) for key in keys])

    def verify(self) -> list[str]:
        """Reads every byte and names what is damaged."""
        return self._inner.verify()

    def __repr__(self) -> str:
        header = self.header
        return f"<FeatureStore of {header['corpus']} under {header['encoder']}: {len(self)} utterances, layers {header['layers']}>"

    def _repr_html_(self) -> str:
        return table(("store", str(self.path)), [("utterances", len(self)), *self.header.items()])


def extract(
    manifest: Manifest,
    encoder: Encoder,
    path: str | PathLike[str],
    *,
    layers: str | Sequence[int] = "last",
    precision: Literal["f16", "f32"] = "f16",
    normalisation: Literal["utterance", "frame", "none"] = "utterance",
    progress: ProgressLike = None,
) -> FeatureStore:
    """Encodes a manifest into the store at ``path`` and opens it. Uses all cores; an interrupted call goes on where
    it was; what is already there is not made again. Utterances that cannot be encoded are in ``failures``."""
    if manifest.root is None:
        raise ValueError(f"the manifest of {manifest.corpus} has no root, so its audio cannot be found")
    how = {"layers": _layers(layers), "precision": precision, "normalisation": normalisation}
    _emobox.extract(
        manifest.corpus,
        manifest._json(),
        manifest.root,
        encoder._inner,
        Path(path),
        json.dumps(how),
        callback(progress),
    )
    return FeatureStore(path)
