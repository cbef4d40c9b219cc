from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from . import _emobox
from ._html import table
from ._manifest import Manifest, _plain

if TYPE_CHECKING:
    import pandas as _pandas


@dataclass(frozen=True)
class Prediction:
    """One scored utterance: a line of ``predictions.jsonl``."""

    key: str
    """Key of the utterance in its manifest."""
    label: str
    """The reference class."""
    prediction: str
    """The predicted class."""
    fold: int = 1
    """Fold whose test part holds the utterance."""
    scores: dict[str, float] = field(default_factory=dict)
    """Natural-log probability of each class, where known."""
    speaker: str | None = None
    """Who speaks, where known: intervals are drawn over speakers."""
    gender: str | None = None
    """The speaker's gender, where known."""


Predictions = Union[str, "PathLike[str]", Iterable[Union[Prediction, Mapping[str, Any]]], "_pandas.DataFrame"]
"""The path of a ``predictions.jsonl``; or its lines as `Prediction` or dictionaries; or a data frame with their fields as columns."""


class Scores:
    """The scores of predictions. Fractions 0 to 1; intervals are 95 %, from a standard error over speakers."""

    def __init__(self, run: _emobox.Run) -> None:
        self._run = run
        self.details: dict[str, Any] = json.loads(run.scores())

    @property
    def runs(self) -> list[dict[str, Any]]:
        """A row for each fold, their mean and their pool: scores, intervals, classes and confusion."""
        return list(self.details["runs"])

    @property
    def headline(self) -> dict[str, Any]:
        """The row to report, as in the printed table: the mean over folds, the pooled score where a fold lacks a class, or
        the only row."""
        runs = self.runs
        marked = [run for run in runs if run.get("headline")]
        means = [run for run in runs if run["fold"] == "mean"]
        if not runs:
            raise ValueError("there are no scores within a corpus here")
        return (marked or means or runs)[0]

    @property
    def ua(self) -> float:
        """Unweighted accuracy of the headline row: mean recall over the classes present."""
        return float(self.headline["ua"])

    @property
    def wa(self) -> float:
        """Weighted accuracy of the headline row: the share that is right."""
        return float(self.headline["wa"])

    @property
    def macro_f1(self) -> float:
        """Macro F1 of the headline row over the classes present."""
        return float(self.headline["macro_f1"])

    def render(self, format: str = "terminal") -> str:
        """The tables as ``terminal``, ``markdown``, ``latex`` or ``csv``, or the whole page as ``html``."""
        return self._run.render(format)

    def to_pandas(self) -> _pandas.DataFrame:
        """A data frame with a row for each fold, their mean and their pool: names, scores, ends of the intervals. Needs pandas."""
        import pandas

        rows = []
        for run in self.runs:
            row = {name: run[name] for name in ("corpus", "encoder", "protocol", "partition", "config", "fold", "n")}
            for name in ("ua", "wa", "macro_f1"):
                low, high = run.get(f"{name}_ci") or (None, None)
                row.update({name: run[name], f"{name}_low": low, f"{name}_high": high})
            rows.append({**row, "headline": bool(run.get("headline"))})
        return pandas.DataFrame(rows)

    def __str__(self) -> str:
        return self.render()

    def __repr__(self) -> str:
        kept = [run for run in self.runs if run.get("headline")] or [self.headline][: len(self.runs)]
        cells = [f"{run['corpus']} with {run['encoder']}: UA {_cell(run, 'ua')}" for run in kept[:4]]
        more = [f"{len(kept) - 4} more"] if len(kept) > 4 else []
        return f"<{type(self).__name__}: {'; '.join(cells + more)}>"

    def _repr_html_(self) -> str:
        names = ("corpus", "encoder", "fold", "n", "ua", "wa", "macro_f1")
        rows = [[_cell(run, name) for name in names] for run in self.runs]
        return table(("corpus", "encoder", "fold", "n", "UA %", "WA %", "macro F1 %"), rows)


class Comparison:
    """Two systems on the same items: differences with intervals and p values (sign flips over speakers, and Student's t), and
    the smallest difference that these items could show."""

    def __init__(self, run: _emobox.Run) -> None:
        self._run = run
        self.details: dict[str, Any] = json.loads(run.scores())["comparisons"][0]

    def __str__(self) -> str:
        return self._run.render("terminal")

    def _repr_html_(self) -> str:
        rows = []
        for name, title in (("ua", "UA"), ("wa", "WA"), ("macro_f1", "macro F1")):
            d = self.details[name]
            # With fewer than five speakers there is no interval.
            interval, smallest = d.get("ci"), d.get("smallest_detectable")
            around = f" [{100 * interval[0]:.2f}, {100 * interval[1]:.2f}]" if interval else ""
            rows.append(
                (
                    title,
                    f"{100 * d['a']:.2f}",
                    f"{100 * d['b']:.2f}",
                    f"{100 * d['difference']:+.2f}{around}",
                    f"{d['p']:.4f}",
                    "–" if smallest is None else f"{100 * smallest:.2f}",
                )
            )
        columns = ("%", self.details["a"], self.details["b"], "difference", "p", "smallest detectable")
        return table(columns, rows, f"{self.details['corpus']}, {self.details['n']} items")


def evaluate(predictions: Predictions, manifest: Manifest | None = None, *, seed: int = 0) -> Scores:
    """Scores predictions of any origin. With a manifest, intervals are drawn over its speakers, the classes are all
    of the manifest's, and keys or labels that it does not have are refused (`ValueError`). Nothing is drawn at random;
    `seed` is kept for calls of earlier versions."""
    name, lines = _lines(predictions, "predictions")
    if manifest is None:
        return Scores(_emobox.evaluate(name, lines, seed=seed))
    return Scores(_emobox.evaluate(name, lines, manifest.corpus, manifest._json(), seed))


def compare(
    a: Predictions,
    b: Predictions,
    *,
    names: tuple[str, str] = ("a", "b"),
    corpus: str = "–",
    seed: int = 0,
) -> Comparison:
    """Compares two systems by their predictions of the same items. Raises `ScoreError` where the items differ."""
    (path_a, lines_a), (path_b, lines_b) = _lines(a, names[0]), _lines(b, names[1])
    if names == ("a", "b") and path_a != path_b:
        names = (path_a, path_b)
    return Comparison(_emobox.compare(corpus, (names[0], lines_a), (names[1], lines_b), seed))


def _lines(predictions: Predictions, name: str) -> tuple[str, str]:
    if isinstance(predictions, (str, PathLike)):
        path = Path(predictions)
        return fspath(path), path.read_text(encoding="utf-8")
    lines = []
    if hasattr(predictions, "to_dict") and hasattr(predictions, "columns"):
        predictions = _rows(predictions)
    for one in predictions:
        row = dict(one.__dict__ if isinstance(one, Prediction) else one)
        lines.append(json.dumps({k: v for k, v in row.items() if v is not None}))
    return name, "\n".join(lines)


def _rows(frame: _pandas.DataFrame) -> list[dict[str, Any]]:
    """The rows of a data frame; its index are the keys where it has no such column."""
    if "key" not in frame.columns:
        frame = frame.rename_axis("key").reset_index()
    missing = [name for name in ("label", "prediction") if name not in frame.columns]
    if missing:
        raise ValueError(f"the data frame has no column {missing[0]!r}; it has {', '.join(map(str, frame.columns))}")
    known = [f.name for f in fields(Prediction) if f.name in frame.columns]
    rows = [{str(name): _plain(value) for name, value in row.items()} for row in frame[known].to_dict("records")]
    return [{**row, "key": str(row["key"])} for row in rows]


def _cell(run: dict[str, Any], name: str) -> object:
    value = run.get(name, "")
    if not isinstance(value, float):
        return value
    interval = run.get(f"{name}_ci")
    text = f"{100 * value:.2f}"
    return f"{text} [{100 * interval[0]:.2f}, {100 * interval[1]:.2f}]" if interval else text
