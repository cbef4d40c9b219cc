from __future__ import annotations

import json
import os
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Union

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _emobox
from ._html import table
from ._progress import ProgressLike, callback

AudioLike = Union[str, "PathLike[str]", ArrayLike]
"""The path of a recording, or a mono waveform."""


LOUDEST = 10.0
"""What a float waveform may reach; beyond it is a waveform of another scale."""


class Encoder:
    """A frozen pre-trained encoder: ``Encoder("wavlm-base")(audio or path)`` gives hidden states, NumPy float32
    ``[layer, frame, dim]``, the embedding output first and the output of the last block last.

    ``name`` is a row of `encoders`, found in the hub's cache of this machine (`pull_encoder` fetches it);
    or any ``organisation/name`` or ``organisation/name@revision`` of the hub, fetched where it is not there; or the folder or file of a checkpoint; or ``NAME=PATH``. With ``path`` the name is free.

    A single call computes on the calling thread alone, without the interpreter: Python threads run in parallel.
    `batch` spreads its utterances over ``threads`` threads of its own (all cores by default).

    Raises `EncoderError` for a name nobody knows, a checkpoint that is not on this machine or lacks a tensor.
    """

    def __init__(
        self,
        name: str | PathLike[str],
        path: str | PathLike[str] | None = None,
        *,
        precision: str = "f32",
        device: str = "cpu",
        threads: int | None = None,
    ) -> None:
        name = os.fspath(name)
        if path is None:
            if "=" in name and not os.path.exists(name):
                name, path = name.split("=", 1)
            elif (os.sep in name or "/" in name or os.path.isdir(name)) and os.path.exists(name):
                path, name = name, Path(name).resolve().name
        self._threads = threads
        self._made = (name, path, precision, device, threads)
        self._inner = _emobox.Encoder(name, None if path is None else Path(path), precision, device)
        self.info: dict[str, Any] = json.loads(self._inner.info())

    def __reduce__(self) -> tuple[Any, ...]:
        # The checkpoint is opened again: in a spawned worker, from the same place.
        return _reopened, self._made

    @property
    def name(self) -> str:
        """The name that feature stores and results carry."""
        return str(self.info["name"])

    @property
    def hidden_states(self) -> int:
        """Embedding output and one a block."""
        return int(self.info["hidden_states"])

    @property
    def dim(self) -> int:
        """Values of a frame."""
        return int(self.info["dim"])

    @property
    def sample_rate(self) -> int:
        """Samples a second of what it hears: 16000 for nearly every encoder. Recordings and waveforms are brought to it."""
        return int(self.info["sample_rate"])

    def frames(self, samples: int) -> int:
        """The frames that so many samples at its ``sample_rate`` yield; 0 when they are too few."""
        return self._inner.frames(samples)

    def __call__(
        self,
        audio: AudioLike,
        *,
        sample_rate: int = 16_000,
        layers: str | Sequence[int] = "all",
    ) -> NDArray[np.float32]:
        """Hidden states ``[layer, frame, dim]`` of a recording, or of a mono waveform ``[samples]`` of values
        from -1 to 1 at ``sample_rate``. ``layers`` is ``"all"``, ``"last"``, ``"0,4,7-9"`` or a list."""
        samples = _waveform(audio, sample_rate, self.sample_rate)
        return _array(self._inner.encode(samples.tobytes(), _layers(layers)))

    def batch(
        self,
        audio: Sequence[AudioLike],
        *,
        sample_rate: int = 16_000,
        layers: str | Sequence[int] = "all",
        threads: int | None = None,
        progress: ProgressLike = None,
    ) -> list[NDArray[np.float32]]:
        """The same of several utterances, each the very numbers of a call of its own."""
        threads = threads or self._threads or os.cpu_count() or 1
        waveforms = [_waveform(one, sample_rate, self.sample_rate).tobytes() for one in audio]
        states = self._inner.encode_batch(waveforms, _layers(layers), threads, callback(progress))
        return [_array(one) for one in states]

    def __repr__(self) -> str:
        return f"<Encoder {self.name}: {self.info['family']}, {self.hidden_states} hidden states of {self.dim}>"

    def _repr_html_(self) -> str:
        return table(("encoder", self.name), [(k, v) for k, v in self.info.items() if k != "name"])


def _reopened(
    name: str, path: str | PathLike[str] | None, precision: str, device: str, threads: int | None
) -> Encoder:
    return Encoder(name, path, precision=precision, device=device, threads=threads)


class _Encoders(list[dict[str, Any]]):
    def _repr_html_(self) -> str:
        columns = list(self[0]) if self else []
        return table(columns, [[row[column] for column in columns] for row in self])


def encoders() -> list[dict[str, Any]]:
    """Every encoder known by name, with its family, place, licence, sizes, and whether it is ``here``."""
    return _Encoders(json.loads(_emobox.encoders()))


def pull_encoder(name: str, *, progress: ProgressLike = None) -> Path:
    """Fetches a checkpoint into the user's hub cache; an interrupted call goes on where it was."""
    return Path(_emobox.pull_encoder(name, callback(progress)))


def load_audio(
    path: str | PathLike[str],
    *,
    channel: int = 1,
    start: float | None = None,
    end: float | None = None,
    sample_rate: int = 16_000,
) -> NDArray[np.float32]:
    """One channel (from 1) of a recording, or of its part from ``start`` to ``end`` seconds, as float32
    ``[samples]`` at ``sample_rate``. Reads by content: WAV, AIFF, FLAC, MP3, OGG, MP4, and what ffmpeg reads."""
    return np.frombuffer(_emobox.load_audio(Path(path), channel, start, end, sample_rate), np.float32)


def _waveform(audio: AudioLike, sample_rate: int, wanted: int) -> NDArray[np.float32]:
    """A recording, or a waveform at ``sample_rate``, at the rate that is wanted."""
    if isinstance(audio, (str, os.PathLike)):
        return load_audio(audio, sample_rate=wanted)
    given = np.asarray(audio)
    if given.ndim != 1:
        raise ValueError(f"a waveform of shape {given.shape}: expected one channel, shape [samples]")
    samples = _scaled(given)
    if sample_rate != wanted:
        return np.frombuffer(_emobox.resample(samples.tobytes(), sample_rate, wanted), np.float32)
    return samples


def _scaled(given: NDArray[Any]) -> NDArray[np.float32]:
    """Values from -1 to 1: integers by the range of their type (8 bits without a sign are centred on 128, as in WAV files)."""
    if given.dtype == np.uint8:
        return np.ascontiguousarray((given.astype(np.float32) - 128) / 128, dtype=np.float32)
    if np.issubdtype(given.dtype, np.signedinteger):
        return np.ascontiguousarray(given / -float(np.iinfo(given.dtype).min), dtype=np.float32)
    if not np.issubdtype(given.dtype, np.floating):
        raise ValueError(f"a waveform of {given.dtype}: expected floats from -1 to 1, or signed integers of the range of their type")
    samples = np.ascontiguousarray(given, dtype=np.float32)
    loudest = float(np.abs(samples).max(initial=0.0))
    # Overshoot of a resampler or an MP3 is real; samples of another scale are a mistake.
    if loudest > LOUDEST:
        raise ValueError(f"a waveform that reaches {loudest:g}: expected values from -1 to 1; divide 16-bit samples by 32768")
    return samples


def _layers(layers: str | Sequence[int]) -> str:
    return layers if isinstance(layers, str) else ",".join(str(layer) for layer in layers)


def _array(states: tuple[bytearray, int, int, int]) -> NDArray[np.float32]:
    data, *shape = states
    return np.frombuffer(data, np.float32).reshape(shape)
