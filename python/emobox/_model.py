from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Union

from . import _emobox
from ._bench import BenchResult, Named, _described, _place
from ._encoder import AudioLike, _waveform
from ._progress import ProgressLike, callback


@dataclass(frozen=True)
class Answer:
    """The emotion of one recording, or of a window of it."""

    file: str
    """The recording as it was named."""
    seconds: float
    """How much was heard."""
    prediction: str
    """The most probable class."""
    probabilities: dict[str, float]
    """All classes, the most probable first."""
    start: float | None = None
    """Where the window begins, in seconds."""


class Model:
    """A probe trained on all of a corpus, with its encoder: ``Model("NAME")`` that `fit` made, or the folder of one.

    ``encoder`` says where the checkpoint lies now, if it was moved.
    """

    def __init__(
        self,
        model: str | PathLike[str],
        *,
        home: str | PathLike[str] | None = None,
        encoder: str | PathLike[str] | None = None,
        device: str = "cpu",
    ) -> None:
        self._made = (os.fspath(model), home, encoder, device)
        self._inner = _emobox.Model(Path(model), _place(home), None if encoder is None else Path(encoder), device)

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, self._made

    @property
    def classes(self) -> list[str]:
        """What it can tell apart."""
        return self._inner.classes()

    def __call__(self, audio: AudioLike, *, sample_rate: int = 16_000) -> Answer:
        """The emotion of one recording or waveform."""
        if isinstance(audio, (str, PathLike)):
            return self.predict(audio)[0]
        return _answer(json.loads(self._inner.samples(_waveform(audio, sample_rate, self._inner.sample_rate()).tobytes())))

    def predict(
        self,
        recordings: Union[str, PathLike[str], Iterable[Union[str, PathLike[str]]]],
        *,
        window: float | None = None,
        hop: float | None = None,
        progress: ProgressLike = None,
    ) -> list[Answer]:
        """The emotions of recordings, and of all recordings below folders; with ``window`` of pieces of so many seconds, one
        every ``hop`` (half a window by default)."""
        if isinstance(recordings, (str, PathLike)):
            recordings = [recordings]
        found = self._inner.files([Path(one) for one in recordings], window, hop, callback(progress))
        return [_answer(row) for row in json.loads(found)]

    def export(self, folder: str | PathLike[str], *, checkpoint: bool = True) -> Path:
        """Makes ``folder``, which ``Model(folder)`` and ``emobox predict`` ask anywhere, with the encoder's checkpoint inside unless
        ``checkpoint=False``, and the probe as ``probe.onnx``."""
        self._inner.export(Path(folder), checkpoint)
        return Path(folder)

    def __repr__(self) -> str:
        return f"<Model {self._made[0]}: {', '.join(self.classes)}>"


def _reopened(
    model: str, home: str | PathLike[str] | None, encoder: str | PathLike[str] | None, device: str
) -> Model:
    return Model(model, home=home, encoder=encoder, device=device)


def _answer(row: Mapping[str, Any]) -> Answer:
    return Answer(row["file"], row["seconds"], row["prediction"], dict(row["probabilities"]), row.get("start"))


class FitResult(BenchResult):
    """A model and how good it is: the scores are those of probes trained in the same way on the training parts of the folds."""

    @property
    def folder(self) -> Path:
        """The model's folder, which can be copied: ``Model(result.folder)``."""
        return self.out

    @property
    def card(self) -> Path:
        """What a user of the model should know."""
        return self.out / "MODEL.md"


def fit(
    name: str,
    experiment: str | PathLike[str] | Mapping[str, Any] | None = None,
    out: str | PathLike[str] | None = None,
    *,
    corpora: Named = (),
    encoders: Named = (),
    home: str | PathLike[str] | None = None,
    progress: ProgressLike = None,
    **options: Any,
) -> FitResult:
    """Benches one corpus under one encoder, then trains on all of it. Experiment, corpora, encoders and ``options`` as of `bench`. The
    model is found again as ``Model(name)`` in the same ``home``; or in the folder ``out``."""
    text, path = _described("fit", experiment, corpora, encoders, options)
    place = None if out is None else Path(out)
    folder, run = _emobox.fit(name, text, path, place, _place(home), callback(progress))
    return FitResult(run, Path(folder))
