from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass, field, fields
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

from . import _emobox
from ._encoder import load_audio
from ._html import table
from ._progress import ProgressLike, callback
from .errors import CorpusError

if TYPE_CHECKING:
    import pandas as _pandas


@dataclass(frozen=True)
class Utterance:
    """One labelled recording, or one labelled segment of a recording. Field names are those of the
    published EmoBox jsonl."""

    key: str
    """Unique name within the corpus."""
    dataset: str
    """The corpus."""
    wav: str
    """Audio file relative to the manifest's root."""
    sample_rate: int
    """Samples a second in the file."""
    num_frame: int
    """Samples of one channel (of the segment)."""
    length: float
    """Seconds."""
    emo: str
    """The label as the corpus writes it."""
    label: str
    """The harmonised class."""
    channel: int = 1
    """The channel to use, from 1."""
    start_time: float | None = None
    """Start of the segment in seconds."""
    end_time: float | None = None
    """End of the segment in seconds."""
    speaker: str | None = None
    """Who speaks, where known."""
    gender: str | None = None
    """The speaker's gender as the corpus says."""
    language: str | None = None
    """Language spoken, in English."""
    text: str | None = None
    """What is said, or the corpus's code of it."""
    split: str | None = None
    """The corpus's own part."""


_FIELDS = frozenset(f.name for f in fields(Utterance))


@dataclass(frozen=True)
class Manifest:
    """The utterances of one corpus and the folder of their audio. A sequence; `filter` makes smaller ones."""

    corpus: str
    """The corpus."""
    utterances: tuple[Utterance, ...]
    """Sorted by key when made by `prepare`."""
    root: Path | None = None
    """The folder that the utterances' paths are relative to."""
    report: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """What `prepare` found on the way: missing, extra, broken and doubled files, with its `summary`."""

    @classmethod
    def read(cls, path: str | PathLike[str], root: str | PathLike[str] | None = None) -> Manifest:
        """Reads a jsonl manifest, ours or a published one. Every unusable line is named."""
        utterances = _utterances(_emobox.read_manifest(Path(path)))
        corpus = utterances[0].dataset if utterances else ""
        return cls(corpus, utterances, Path(root) if root is not None else None)

    @classmethod
    def from_pandas(cls, frame: _pandas.DataFrame, root: str | PathLike[str], corpus: str | None = None) -> Manifest:
        """A manifest of a data frame with a row an utterance: ``wav`` (its file, below ``root``) and ``label``, and whatever else of
        an utterance's fields it has. A missing ``key`` is the index, or made of the file's name; what only the audio tells (``sample_rate``,
        ``num_frame``, ``length``) is read from its header where the frame lacks it. Other columns are left out."""
        root = Path(root)
        missing = [name for name in ("wav", "label") if name not in frame.columns]
        if missing:
            raise ValueError(f"the data frame has no column {missing[0]!r}; it has {', '.join(map(str, frame.columns))}")
        # An index with a name of ours is a column; one of other strings are keys.
        if frame.index.name in _FIELDS:
            frame = frame.reset_index()
        elif "key" not in frame.columns and len(frame) and all(isinstance(one, str) for one in frame.index):
            frame = frame.rename_axis("key").reset_index()
        columns = [str(name) for name in frame.columns if name in _FIELDS]
        utterances: list[Utterance] = []
        for row in frame[columns].to_dict("records"):
            known = {str(k): _plain(v) for k, v in row.items()}
            known = {k: v for k, v in known.items() if v is not None}
            for name in ("wav", "label"):
                if name not in known:
                    raise ValueError(f"row {len(utterances)} of the data frame has no {name}")
            known = {"emo": known["label"], **known}
            of = corpus or known.get("dataset") or root.resolve().name
            known["dataset"] = of
            known.setdefault("key", f"{of}-{Path(str(known['wav'])).with_suffix('').as_posix().replace('/', '-')}")
            if not {"sample_rate", "num_frame", "length"} <= set(known):
                rate, samples = _emobox.probe_audio(root / str(known["wav"]))
                begin, end = known.get("start_time", 0.0), known.get("end_time", samples / rate)
                known.update(sample_rate=rate, num_frame=round((end - begin) * rate), length=end - begin)
            utterances.append(Utterance(**known))
        keys = Counter(u.key for u in utterances)
        twice = [key for key, times in keys.items() if times > 1]
        if twice:
            raise ValueError(f"{twice[0]!r} is the key of {keys[twice[0]]} rows of the data frame")
        name = corpus or (utterances[0].dataset if utterances else "")
        return cls(name, tuple(sorted(utterances, key=lambda u: u.key)), root)

    def write(self, path: str | PathLike[str]) -> None:
        """Writes one JSON object a line."""
        lines = "".join(json.dumps(_fields(u), ensure_ascii=False) + "\n" for u in self.utterances)
        Path(path).write_text(lines, encoding="utf-8")

    def __iter__(self) -> Iterator[Utterance]:
        return iter(self.utterances)

    def __len__(self) -> int:
        return len(self.utterances)

    @overload
    def __getitem__(self, index: int | str) -> Utterance: ...
    @overload
    def __getitem__(self, index: slice) -> Manifest: ...
    def __getitem__(self, index: int | str | slice) -> Utterance | Manifest:
        """An utterance by position or key; a manifest by slice."""
        if isinstance(index, slice):
            return self._with(self.utterances[index])
        if isinstance(index, str):
            for utterance in self.utterances:
                if utterance.key == index:
                    return utterance
            raise KeyError(f"{index!r} is not in the manifest of {self.corpus}")
        return self.utterances[index]

    def filter(
        self,
        keep: Callable[[Utterance], object] | None = None,
        /,
        **values: object,
    ) -> Manifest:
        """The utterances for which ``keep`` holds and whose fields have the values named: one value, or any
        of a list, tuple or set. ``manifest.filter(label=["Angry", "Sad"], gender="female")``"""
        unknown = sorted(set(values) - _FIELDS)
        if unknown:
            raise ValueError(f"utterances have no field {unknown[0]!r}; there are {', '.join(sorted(_FIELDS))}")

        def fits(utterance: Utterance) -> bool:
            if keep is not None and not keep(utterance):
                return False
            for name, wanted in values.items():
                found = getattr(utterance, name)
                many = isinstance(wanted, (list, tuple, set, frozenset))
                if not (found in wanted if many else found == wanted):  # type: ignore[operator]
                    return False
            return True

        return self._with(tuple(filter(fits, self.utterances)))

    def select(self, keys: Collection[str]) -> Manifest:
        """The utterances of these keys, in the manifest's order; an unknown key is a `KeyError`."""
        wanted = set(keys)
        chosen = tuple(u for u in self.utterances if u.key in wanted)
        if len(chosen) < len(wanted):
            first = sorted(wanted - {u.key for u in chosen})[0]
            raise KeyError(f"{first!r} is not in the manifest of {self.corpus}")
        return self._with(chosen)

    @property
    def classes(self) -> list[str]:
        """The harmonised classes that occur, sorted."""
        return sorted({u.label for u in self.utterances})

    @property
    def speakers(self) -> list[str]:
        """The speakers that occur, sorted."""
        return sorted({u.speaker for u in self.utterances if u.speaker is not None})

    @property
    def seconds(self) -> float:
        """Total length."""
        return sum(u.length for u in self.utterances)

    def path(self, utterance: Utterance | str) -> Path:
        """The audio file of an utterance."""
        if self.root is None:
            raise ValueError(f"the manifest of {self.corpus} has no root: Manifest.read(path, root=DIR)")
        if isinstance(utterance, str):
            utterance = self[utterance]
        return self.root / utterance.wav

    def audio(self, utterance: Utterance | str, sample_rate: int = 16_000) -> NDArray[np.float32]:
        """The waveform of an utterance: its channel, its segment, at ``sample_rate``; float32 ``[samples]``."""
        if isinstance(utterance, str):
            utterance = self[utterance]
        return load_audio(
            self.path(utterance),
            channel=utterance.channel,
            start=utterance.start_time,
            end=utterance.end_time,
            sample_rate=sample_rate,
        )

    def to_pandas(self) -> _pandas.DataFrame:
        """A data frame, one row an utterance, indexed by key. Needs pandas."""
        import pandas

        frame = pandas.DataFrame([asdict(u) for u in self.utterances], columns=[f.name for f in fields(Utterance)])
        return frame.set_index("key")

    def _with(self, utterances: tuple[Utterance, ...]) -> Manifest:
        return Manifest(self.corpus, utterances, self.root)

    def _json(self) -> str:
        return json.dumps([_fields(u) for u in self.utterances])

    def __repr__(self) -> str:
        return (
            f"<Manifest of {self.corpus or 'nothing'}: {len(self)} utterances, {len(self.speakers)} speakers, "
            f"{len(self.classes)} classes, {self.seconds / 3600:.2f} h>"
        )

    def _repr_html_(self) -> str:
        count = Counter(u.label for u in self.utterances)
        length: Counter[str] = Counter()
        for u in self.utterances:
            length[u.label] += u.length  # type: ignore[assignment]
        rows = [(label, count[label], f"{length[label] / 60:.1f}") for label in self.classes]
        return table(("class", "utterances", "minutes"), rows, repr(self).strip("<>"))


def prepare(
    name: str,
    raw: str | PathLike[str],
    *,
    home: str | PathLike[str] | None = None,
    allow_missing: bool = False,
    as_published: bool = False,
    progress: ProgressLike = None,
) -> Manifest:
    """Reads the raw release of a corpus. A name that is not registered is a corpus of your own: one folder an
    emotion, or a ``labels.csv``, or a ``manifest.jsonl``.

    The manifest is kept in ``home`` (else ``$EMOBOX_HOME``, else ``./emobox-home``) and found there as long as
    the files have not changed. ``report["summary"]`` of the result says what was missing, extra, broken, doubled.

    Raises `FileNotFoundError` for a folder that is not there and `CorpusError` for one that is something else,
    or incomplete while ``allow_missing`` is false.
    """
    root, utterances, record = _emobox.prepare(
        name,
        Path(raw),
        home=None if home is None else Path(home),
        allow_missing=allow_missing,
        as_published=as_published,
        progress=callback(progress),
    )
    return Manifest(name, _utterances(utterances), Path(root), json.loads(record))


def _utterances(text: str) -> tuple[Utterance, ...]:
    rows = json.loads(text)
    try:
        return tuple(Utterance(**{k: v for k, v in row.items() if k in _FIELDS}) for row in rows)
    except TypeError as error:
        raise CorpusError(f"not a manifest: {error}") from error


def _plain(value: Any) -> Any:
    """A cell of a data frame as Python has it; nothing where it is empty."""
    if hasattr(value, "item"):
        value = value.item()
    return None if value is None or value != value else value


def _fields(utterance: Utterance) -> dict[str, Any]:
    return {name: value for name, value in utterance.__dict__.items() if value is not None}
