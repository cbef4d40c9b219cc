from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Union

from . import _emobox
from ._progress import ProgressLike, callback
from ._scores import Prediction, Scores

Named = Union[Mapping[str, Union[str, "PathLike[str]", None]], Iterable[str]]
"""Names with their folders; None, or names alone, for what is found by name."""


class BenchResult(Scores):
    """A finished benchmark: its scores, the predictions behind them, and where everything lies."""

    def __init__(self, run: _emobox.Run, out: Path) -> None:
        super().__init__(run)
        self.out = out

    @property
    def report(self) -> Path:
        """The self-contained page."""
        return self.out / "report.html"

    @property
    def predictions(self) -> dict[tuple[str, str], list[Prediction]]:
        """The test predictions of all folds, by (corpus, encoder). Empty for a run that was read back."""
        return {
            (corpus, encoder): [Prediction(**row) for row in json.loads(rows)]
            for corpus, encoder, rows in self._run.predictions()
        }

    @property
    def probes(self) -> list[Path]:
        """The folders of the trained probes: one for each corpus and encoder, with a folder a fold."""
        return [Path(folder) for folder in self._run.folders()]

    @property
    def skipped(self) -> int:
        """How many inputs were left out; the report names them."""
        return self._run.skipped()


def bench(
    experiment: str | PathLike[str] | Mapping[str, Any] | None = None,
    out: str | PathLike[str] = "results",
    *,
    corpora: Named = (),
    encoders: Named = (),
    home: str | PathLike[str] | None = None,
    progress: ProgressLike = None,
    **options: Any,
) -> BenchResult:
    """From raw audio to the table. What an earlier run has finished is found, not made again.

    ``experiment`` is the path of a TOML file or its content as a dictionary; or name things here::

        emobox.bench(corpora={"emodb": "/data/emodb"}, encoders={"wavlm-base": None}, scheme="speaker")

    with the file's other keys as ``options``: ``scheme``, ``protocol``, ``layers``, ``partition_seed``, ``training_seeds``, ``metadata``,
    ``normalisation``, ``precision``, ``device``, ``head``, ``layer_curve``, ``layer_curve_head``, ``allow_missing``.

    Writes ``scores.json``, ``predictions/`` and ``report.html`` to ``out``.
    """
    tell = callback(progress)
    where = None if home is None else Path(home)
    if isinstance(experiment, (str, PathLike)):
        if corpora or encoders or options:
            raise ValueError("bench: the experiment file names corpora, encoders and options already")
        run = _emobox.bench(Path(out), path=Path(experiment), home=where, progress=tell)
    else:
        described = {key: _plain(value) for key, value in {**(experiment or {}), **options}.items()}
        described.setdefault("corpus", []).extend(_choices(corpora, "raw"))
        described.setdefault("encoder", []).extend(_choices(encoders, "path"))
        run = _emobox.bench(Path(out), experiment=json.dumps(described), home=where, progress=tell)
    return BenchResult(run, Path(out))


def read_run(out: str | PathLike[str]) -> BenchResult:
    """The run that `bench` or ``emobox bench`` has left in an output folder."""
    return BenchResult(_emobox.read_run(Path(out)), Path(out))


def demo_corpus(folder: str | PathLike[str], *, seed: int = 0) -> Path:
    """Writes a small synthetic corpus (speech made by the program; scores on it are no benchmark results), to be
    prepared under the name ``demo``."""
    folder = Path(folder)
    # The README is written last.
    if not (folder / "README.md").exists():
        _emobox.demo_corpus(folder, seed)
    return folder


def set_threads(threads: int) -> None:
    """How many threads long calls use; all cores without it. To be called once, before the first of them."""
    _emobox.set_threads(threads)


def _choices(named: Named, place: str) -> list[dict[str, str]]:
    if isinstance(named, str):
        named = [named]
    if not isinstance(named, Mapping):
        named = dict.fromkeys(named)
    return [{"name": name} if path is None else {"name": name, place: str(path)} for name, path in named.items()]


def _plain(value: Any) -> Any:
    if isinstance(value, PathLike):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, (list, tuple)) else value
