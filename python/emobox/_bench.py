from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
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
        """The test predictions of all folds, of the first training seed, by (corpus, encoder); where a corpus was cut in several
        ways, by (corpus, ``encoder@partition``)."""
        return self.predictions_of(0)

    def predictions_of(self, seed: int) -> dict[tuple[str, str], list[Prediction]]:
        """The same of another training seed, from 0."""
        sets = self._run.predictions()
        several = len({(corpus, partition) for corpus, _, partition, _, _ in sets}) > len({corpus for corpus, *_ in sets})
        found = {}
        for corpus, encoder, partition, of, rows in sets:
            if of == seed:
                name = f"{encoder}@{partition}" if several else encoder
                found[corpus, name] = [Prediction(**row) for row in json.loads(rows)]
        return found

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
    ``normalisation``, ``precision``, ``device``, ``train_device``, ``head``, ``epochs``, ``layer_curve``,
    ``layer_curve_head``, ``features``, ``allow_missing``.

    Writes ``scores.json``, ``predictions/`` and ``report.html`` to ``out``.
    """
    text, path = _described("bench", experiment, corpora, encoders, options)
    run = _emobox.bench(Path(out), text, path, _place(home), callback(progress))
    return BenchResult(run, Path(out))


class CrossResult(BenchResult):
    """A finished run across corpora."""

    @property
    def matrices(self) -> list[dict[str, Any]]:
        """For each encoder the accuracy of every pair of corpora (``cells``) and their ``average``, Equation 1 of the paper."""
        return list(self.details.get("cross", []))

    def __repr__(self) -> str:
        averages = [f"{m['encoder']} {_average(m)}" for m in self.matrices]
        return f"<CrossResult: average over pairs: {'; '.join(averages)}>"


def _average(matrix: Mapping[str, Any]) -> str:
    average = matrix.get("average")
    return "–" if average is None else f"{100 * average:.2f}"


def cross(
    experiment: str | PathLike[str] | Mapping[str, Any] | None = None,
    out: str | PathLike[str] = "results",
    *,
    corpora: Named = (),
    encoders: Named = (),
    home: str | PathLike[str] | None = None,
    progress: ProgressLike = None,
    classes: Mapping[str, Sequence[str]] | None = None,
    labeller: str | Mapping[str, Any] | None = None,
    per_cell: int | None = None,
    speakers: int | None = None,
    **options: Any,
) -> CrossResult:
    """Trains on each corpus and tests on balanced parts of the others. Experiment, corpora, encoders and ``options`` as of `bench`;
    ``classes`` are the shared classes with a corpus's names for them, ``labeller`` the model that cleans the test sets, which hold
    ``per_cell`` utterances of each class and speaker and at most ``speakers`` speakers."""
    named: dict[str, Any] = {"classes": classes, "labeller": labeller, "per_cell": per_cell, "speakers": speakers}
    if isinstance(labeller, str):
        named["labeller"] = {"name": labeller}
    given = {key: value for key, value in named.items() if value is not None}
    if not isinstance(experiment, (str, PathLike)):
        before = dict((experiment or {}).get("cross", {}))
        options = {**options, "cross": {**before, **given}}
    elif given:
        raise ValueError("cross: the experiment file says already how the test sets are made")
    text, path = _described("cross", experiment, corpora, encoders, options)
    run = _emobox.bench(Path(out), text, path, _place(home), callback(progress))
    return CrossResult(run, Path(out))


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
    """How many threads the calls that follow use; all cores without it."""
    _emobox.set_threads(threads)


def _place(home: str | PathLike[str] | None) -> Path | None:
    return None if home is None else Path(home)


def _described(
    call: str,
    experiment: str | PathLike[str] | Mapping[str, Any] | None,
    corpora: Named,
    encoders: Named,
    options: Mapping[str, Any],
) -> tuple[str | None, Path | None]:
    """An experiment as text, or the path of its file."""
    if isinstance(experiment, (str, PathLike)):
        if corpora or encoders or options:
            raise ValueError(f"{call}: the experiment file names corpora, encoders and options already")
        return None, Path(experiment)
    described = {key: _plain(value) for key, value in {**(experiment or {}), **options}.items()}
    described.setdefault("corpus", []).extend(_choices(corpora, "raw"))
    described.setdefault("encoder", []).extend(_choices(encoders, "path"))
    return json.dumps(described), None


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
