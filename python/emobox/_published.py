"""The published EmoBox tool's two classes, working. Where its behaviour was a bug, this one is right:

* folds count from 1, as the published folders do (the README's loop starts at 0, for which there is no list);
* without a published validation list, 20 % of each label of the training list is held out, the same in every call
  (the published code keeps everything in train and leaves valid empty);
* one channel is taken, the one that the metadata name (the published code strings all channels together);
* recordings that are absent are an error, not silently left out, so that a test part is always whole;
* predictions and labels are matched by key, and scores are what the README documents.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from . import _emobox
from ._corpora import corpora
from ._encoder import load_audio
from ._manifest import Utterance, _utterances
from ._progress import logger
from .errors import CorpusError, ScoreError

_SPLITS = ("train", "valid", "test")


class Example(TypedDict):
    """One recording of an `EmoDataset`."""

    key: str
    audio: NDArray[np.float32]
    label: str


class EmoDataset:
    """One part of one fold of a corpus, by the published lists: a sequence of ``{"key", "audio", "label"}``.

    ``audio`` is float32 ``[samples]``, mono, 16 kHz; ``label`` is the class by the corpus's ``label_map.json``.
    Has ``__len__`` and ``__getitem__``, so it is a map-style dataset for ``torch.utils.data.DataLoader``; recordings
    differ in length, so give the loader a ``collate_fn``.

    ``user_data_dir`` is the folder that the lists' audio paths (``downloads/emodb/…``) begin in, ``meta_data_dir`` a
    copy of the published ``data`` folder. Raises `FileNotFoundError` for lists or recordings that are not there
    (with ``allow_missing`` absent recordings are left out and logged) and `ValueError` for a fold that does not exist.
    """

    def __init__(
        self,
        dataset: str,
        user_data_dir: str | PathLike[str],
        meta_data_dir: str | PathLike[str],
        fold: int = 1,
        split: str = "train",
        *,
        allow_missing: bool = False,
    ) -> None:
        if split not in _SPLITS:
            raise ValueError(f"split {split!r}: expected train, valid or test")
        folder = Path(meta_data_dir) / dataset
        if not folder.is_dir():
            raise FileNotFoundError(f"no metadata of {dataset}: {folder} is not a folder")
        self.dataset, self.fold, self.split = dataset, fold, split
        self._data = Path(user_data_dir)
        rows = _part(folder, dataset, fold, split)
        labels = _label_map(folder, dataset)
        unknown = sorted({row.emo for row in rows} - set(labels))
        if unknown:
            raise CorpusError(f"{dataset}: label {unknown[0]!r} is not in the label map {sorted(labels)}")
        absent = [row for row in rows if not (self._data / row.wav).is_file()]
        if absent:
            message = f"{dataset}: {len(absent)} of {len(rows)} recordings are absent, the first is {self._data / absent[0].wav}"
            if not allow_missing or len(absent) == len(rows):
                raise FileNotFoundError(message)
            logger.warning("%s; left out", message)
            gone = {row.key for row in absent}
            rows = [row for row in rows if row.key not in gone]
        self._rows = rows
        self._labels = labels

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Example:
        row = self._rows[index]
        audio = load_audio(self._data / row.wav, channel=row.channel, start=row.start_time, end=row.end_time)
        return {"key": row.key, "audio": audio, "label": self._labels[row.emo]}

    def __iter__(self) -> Iterator[Example]:
        return (self[index] for index in range(len(self)))

    @property
    def keys(self) -> list[str]:
        """The keys, in the order of the list."""
        return [row.key for row in self._rows]

    @property
    def labels(self) -> list[str]:
        """The labels, in the order of the list; no audio is read."""
        return [self._labels[row.emo] for row in self._rows]

    @property
    def classes(self) -> list[str]:
        """All classes of the label map, sorted."""
        return sorted(set(self._labels.values()))

    def __repr__(self) -> str:
        return f"<EmoDataset {self.dataset}, fold {self.fold}, {self.split}: {len(self)} recordings>"


class EmoEval:
    """Scores predictions against labels: ``[{"key", "pred"}, …]`` and ``[{"key", "label"}, …]``, matched by key.

    Raises `ScoreError` where a key has no label, no prediction, or two of one kind.
    """

    def __init__(self, predictions: Sequence[Mapping[str, Any]], labels: Sequence[Mapping[str, Any]]) -> None:
        found = _by_key(predictions, ("pred", "prediction"), "predictions")
        wanted = _by_key(labels, ("label",), "labels")
        for lost, what in ((wanted.keys() - found.keys(), "prediction"), (found.keys() - wanted.keys(), "label")):
            if lost:
                raise ScoreError(f"{len(lost)} keys have no {what}, the first is {sorted(map(str, lost))[0]!r}")
        if not wanted:
            raise ScoreError("nothing to score: no predictions and no labels")
        self.keys = list(wanted)
        self.targets = [wanted[key] for key in self.keys]
        self.predictions = [found[key] for key in self.keys]

    def compute_metrics(self) -> dict[str, Any]:
        """``ua``, ``wa``, ``micro_f1``, ``macro_f1`` (fractions, scikit-learn's ``balanced_accuracy_score``,
        ``accuracy_score`` and ``f1_score``, the last over the classes that the labels have), ``confusion`` (counts
        ``[label, prediction]`` over the classes that occur, sorted), ``num``, and ``report``, the text of
        ``classification_report``."""
        classes = sorted({*self.targets, *self.predictions})
        names = [str(one) for one in classes]
        if len(set(names)) < len(names):
            raise ScoreError(f"labels and predictions are of different types: {classes}")
        text = _emobox.confusion([str(x) for x in self.targets], [str(x) for x in self.predictions], names)
        rates, counts, by_class = json.loads(text)
        return {
            "ua": rates["ua"],
            "wa": rates["wa"],
            "micro_f1": rates["micro_f1"],
            "macro_f1": rates["macro_f1"],
            "confusion": np.array(counts, dtype=np.int64),
            "num": len(self.targets),
            "report": _report(rates, by_class),
        }

    def write_scores(self, path: str | PathLike[str], scores: Mapping[str, Any]) -> None:
        """Writes what `compute_metrics` gave to a text file."""
        names = {"ua": "UA", "wa": "WA", "micro_f1": "Micro-F1", "macro_f1": "Macro-F1"}
        lines = [f"Sample [{scores['num']}], Overall {title} {scores[name]:.4f}" for name, title in names.items()]
        lines += ["", scores["report"], "confusion_matrix:", str(scores["confusion"]), ""]
        Path(path).write_text("\n".join(lines), encoding="utf-8")


def _part(folder: Path, dataset: str, fold: int, split: str) -> list[Utterance]:
    pattern = re.compile(rf"{re.escape(dataset)}_train_fold_?(\d+)\.jsonl")
    names = (pattern.fullmatch(path.name) for path in folder.glob("**/*.jsonl"))
    folds = sorted({int(found[1]) for found in names if found})
    if fold not in folds:
        known = f"folds {', '.join(map(str, folds))}" if folds else "no fold lists at all"
        raise ValueError(f"{dataset} has no fold {fold}: {folder} has {known} (folds count from 1)")
    valid = _list(folder, dataset, "valid", fold)
    if split == "test":
        rows = _list(folder, dataset, "test", fold)
    elif valid is None:
        rows = _held_out(_list(folder, dataset, "train", fold) or [], split == "valid")
    elif split == "valid":
        rows = valid
    else:
        rows = _list(folder, dataset, "train", fold)
    if rows is None:
        raise FileNotFoundError(f"{dataset}: {folder} has no {split} list of fold {fold}")
    return rows


def _list(folder: Path, dataset: str, part: str, fold: int) -> list[Utterance] | None:
    for name in (f"{dataset}_{part}_fold_{fold}.jsonl", f"{dataset}_{part}_fold{fold}.jsonl"):
        for path in (folder / f"fold_{fold}" / name, folder / f"fold{fold}" / name, folder / name):
            if path.is_file():
                return list(_utterances(_emobox.read_manifest(path)))
    return None


def _held_out(rows: list[Utterance], held_out: bool) -> list[Utterance]:
    """A fifth of each label, evenly spaced over the sorted keys: no draw, so nothing depends on a seed."""
    position: dict[str, int] = {}
    chosen = set()
    for row in sorted(rows, key=lambda row: row.key):
        at = position[row.emo] = position.get(row.emo, -1) + 1
        if at % 5 == 2:
            chosen.add(row.key)
    return [row for row in rows if (row.key in chosen) == held_out]


def _label_map(folder: Path, dataset: str) -> dict[str, str]:
    """The label map with the repairs that the corpora need: EmoDB's map has ``Neutral`` for the data's ``neutral``,
    one corpus's is called ``label_dict.json``. Without a file the registered corpus's own classes."""
    for name in ("label_map.json", "label_dict.json"):
        path = folder / name
        if path.is_file():
            found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
            lower = {raw.lower(): label for raw, label in found.items()}
            lower.update(found)
            return lower
    try:
        return dict(corpora()[dataset].labels)
    except KeyError as error:
        raise FileNotFoundError(f"{dataset}: {folder} has no label_map.json") from error


def _by_key(rows: Sequence[Mapping[str, Any]], fields: tuple[str, ...], what: str) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for at, row in enumerate(rows):
        field = next((field for field in fields if field in row), None)
        if "key" not in row or field is None:
            raise ValueError(f"{what}[{at}]: expected a dictionary with key and {fields[0]}, found {dict(row)}")
        if row["key"] in found:
            raise ScoreError(f"{what}: key {row['key']!r} stands there twice")
        value = row[field]
        # A NumPy or torch scalar stands for its number.
        found[row["key"]] = value.item() if hasattr(value, "item") else value
    return found


def _report(rates: dict[str, float], by_class: list[dict[str, Any]]) -> str:
    """As scikit-learn's ``classification_report`` prints it, to two digits."""
    total = sum(one["support"] for one in by_class)
    columns = ("precision", "recall", "f1")
    width = max([len(one["class"]) for one in by_class] + [len("weighted avg"), 2])
    lines = [" " * width + " " + "".join(f"{title:>10}" for title in ("precision", "recall", "f1-score", "support")), ""]

    def line(name: str, values: Sequence[float], support: int) -> str:
        return f"{name:>{width}} " + "".join(f"{value:>10.2f}" for value in values) + f"{support:>10}"

    lines += [line(one["class"], [one[c] for c in columns], one["support"]) for one in by_class]
    lines += ["", f"{'accuracy':>{width}} " + " " * 20 + f"{rates['wa']:>10.2f}{total:>10}"]
    lines.append(line("macro avg", [sum(one[c] for one in by_class) / len(by_class) for c in columns], total))
    weighted = [sum(one[c] * one["support"] for one in by_class) / total for c in columns]
    lines.append(line("weighted avg", weighted, total))
    return "\n".join(lines) + "\n"
