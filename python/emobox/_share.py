from __future__ import annotations

import json
from os import PathLike
from pathlib import Path

from . import _emobox
from ._bench import Named, _choices, _place
from ._progress import ProgressLike, callback
from ._scores import Scores


class Verified(Scores):
    """A submission whose scores were recomputed; its scores are the recomputed ones."""

    def __init__(self, run: _emobox.Run, system: str, verdict: str) -> None:
        super().__init__(run)
        self.system = system
        """What the submission calls the system."""
        self.verdict = verdict
        """``consistent``: the scores follow from the predictions; ``reproduced``: the predictions were made again."""


def submit(
    out: str | PathLike[str],
    system: str,
    file: str | PathLike[str],
    *,
    description: str = "",
) -> str:
    """Writes what `bench` left in ``out`` as a submission that anybody can verify; returns its digest."""
    return _emobox.submit(Path(out), system, description, Path(file))


def verify(
    file: str | PathLike[str],
    *,
    home: str | PathLike[str] | None = None,
    partition_seed: int = 0,
    training_seeds: int = 3,
    metadata: str | PathLike[str] | None = None,
    rerun: bool = False,
    encoders: Named = (),
    progress: ProgressLike = None,
) -> Verified:
    """Recomputes every score of a submission from its predictions, on partitions made from the corpora prepared in ``home``. With
    ``rerun`` the predictions are made again too, from your own audio and checkpoints (``encoders`` as of `bench`).

    Raises `EmoboxError` with every reason where a submission is refused.
    """
    chosen = json.dumps(_choices(encoders, "path")) if rerun else None
    place = None if metadata is None else Path(metadata)
    system, verdict, run = _emobox.verify(
        Path(file), partition_seed, training_seeds, _place(home), place, chosen, callback(progress)
    )
    return Verified(run, system, verdict)
