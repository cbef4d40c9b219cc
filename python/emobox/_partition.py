from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal

from . import _emobox
from ._html import table
from ._manifest import Manifest
from ._progress import ProgressLike, callback


@dataclass(frozen=True)
class Partition:
    """Train, valid and test of every fold of one corpus."""

    corpus: str
    """The corpus."""
    scheme: str
    """``paper``, ``published`` or ``speaker``."""
    folds: int
    """Number of folds; they count from 1."""
    assignments: tuple[tuple[str, int, str], ...]
    """Key, fold, role (``train``, ``valid``, ``test`` or the name of a further test set), sorted by fold and key."""
    info: dict[str, Any]
    """How it was made: the rule that applied and why, the seed, what is in no fold."""

    def keys(self, fold: int, role: str) -> list[str]:
        """The keys of one part of one fold, sorted."""
        if not 1 <= fold <= self.folds:
            raise ValueError(f"fold {fold}: {self.corpus} has folds 1 to {self.folds}")
        parts = self.parts(fold)
        if role not in parts:
            raise ValueError(f"{role!r} is no part of fold {fold} of {self.corpus}; there are {', '.join(parts)}")
        return [key for key, of, part in self.assignments if of == fold and part == role]

    def parts(self, fold: int) -> list[str]:
        """The names of a fold's parts: ``train`` first, then ``valid`` where there is one, then the test sets."""
        names = {part for _, of, part in self.assignments if of == fold}
        first = [part for part in ("train", "valid", "test") if part in names]
        return first + sorted(names - set(first))

    def roles(self, fold: int) -> dict[str, str]:
        """The role of every key in a fold."""
        return {key: part for key, of, part in self.assignments if of == fold}

    def select(self, manifest: Manifest, fold: int, role: str) -> Manifest:
        """The utterances of one part of one fold."""
        return manifest.select(self.keys(fold, role))

    def __repr__(self) -> str:
        return f"<Partition of {self.corpus}: scheme {self.scheme}, {self.folds} folds, {self.info['reason']}>"

    def _repr_html_(self) -> str:
        sizes = Counter((fold, role) for _, fold, role in self.assignments)
        roles = sorted({role for _, role in sizes}, key=lambda role: (["train", "valid", "test"] + [role]).index(role))
        rows = [(fold, *(sizes[fold, role] for role in roles)) for fold in range(1, self.folds + 1)]
        return table(("fold", *roles), rows, repr(self).strip("<>"))


@dataclass(frozen=True)
class Audit:
    """What is on both sides of a partition that should not be."""

    verdict: str
    """One line: speakers of the test part that are in train."""
    text: str
    """Everything found, for people."""
    details: dict[str, Any]
    """Everything found: overlaps and sizes by fold, label conflicts, and what listening found."""

    def __str__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return table(("audit",), [(line,) for line in self.text.splitlines()])


def partition(
    manifest: Manifest,
    scheme: Literal["paper", "published", "speaker"] = "paper",
    *,
    seed: int = 0,
    metadata: str | PathLike[str] | None = None,
    folds: int | None = None,
    group_by: Literal["speaker", "text"] = "speaker",
) -> Partition:
    """Cuts a corpus: by the paper's four rules, exactly as published (``metadata`` names a copy of the published
    ``data`` folder), or without a speaker on both sides. Depends on the manifest's content and the seed alone.

    Raises `CorpusError` where the corpus cannot be cut so, and says what can be done.
    """
    cut = {
        "scheme": scheme,
        "seed": seed,
        "metadata": None if metadata is None else str(Path(metadata)),
        "folds": folds,
        "group_by": group_by,
    }
    made = json.loads(_emobox.partition(manifest.corpus, manifest._json(), json.dumps(cut)))
    info = made["info"]
    assignments = tuple((key, fold, role) for key, fold, role in made["assignments"])
    return Partition(manifest.corpus, info["scheme"], info["folds"], assignments, info)


def audit(
    manifest: Manifest,
    partition: Partition,
    *,
    listen: bool = False,
    progress: ProgressLike = None,
) -> Audit:
    """Looks for speakers and texts on both sides, absent classes, and, with ``listen``, in the audio itself for
    recordings that occur twice, clipping, silence and odd lengths."""
    if listen and manifest.root is None:
        raise ValueError(f"the manifest of {manifest.corpus} has no root, so its audio cannot be found")
    crossing = {"info": partition.info, "assignments": partition.assignments}
    details, text = _emobox.audit(
        manifest.corpus,
        manifest._json(),
        json.dumps(crossing),
        root=manifest.root if listen else None,
        progress=callback(progress),
    )
    found = json.loads(details)
    return Audit(found["verdict"], text, found)
