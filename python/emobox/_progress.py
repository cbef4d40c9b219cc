"""How long calls tell what they do: a callback, a bar in notebooks, the logger ``emobox``."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any, Literal, Union

logger = logging.getLogger("emobox")


@dataclass(frozen=True)
class Progress:
    """Where a long call is. A stage begins with ``kind="begin"``, advances, and ends."""

    kind: Literal["begin", "advance", "end"]
    """What happened."""
    label: str
    """What is being done, for people."""
    done: int
    """Units finished, earlier runs included."""
    total: int
    """Units in all."""
    unit: str
    """The unit's name: ``utterances``, ``epochs``."""


ProgressLike = Union[Callable[[Progress], object], bool, None]
"""A callback; True for a notebook's bar; False for none; None for a bar in notebooks alone."""

RawCallback = Callable[[str, str, int, int, str], None]


def callback(progress: ProgressLike) -> RawCallback:
    """What the extension module calls. Notes (a skipped file) are warnings of the logger in every case."""
    if callable(progress):
        show: Callable[[Progress], object] | None = progress
    elif progress or (progress is None and _in_notebook()):
        show = _Bar()
    else:
        show = None

    def call(kind: str, label: str, done: int, total: int, unit: str) -> None:
        if kind == "note":
            logger.warning("%s", label)
            return
        if kind == "begin":
            logger.info("%s: %d of %d %s to do", label, total - done, total, unit)
        elif kind == "end":
            logger.info("%s: %d of %d %s done", label, done, total, unit)
        if show is not None:
            show(Progress(kind, label, done, total, unit))  # type: ignore[arg-type]

    return call


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell: Any = ipython.get_ipython() if ipython is not None else None
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"


class _Bar:
    """A bar in a notebook, one a stage. Without IPython nothing is shown."""

    def __init__(self) -> None:
        self._handle: Any = None

    def __call__(self, progress: Progress) -> None:
        try:
            from IPython.display import HTML, display
        except ImportError:
            return
        text = f"{progress.label}: {progress.done} of {progress.total} {progress.unit}"
        bar = f'<progress value="{progress.done}" max="{max(progress.total, 1)}"></progress> {escape(text)}'
        if progress.kind == "begin" or self._handle is None:
            self._handle = display(HTML(bar), display_id=True)
        elif self._handle is not None:
            self._handle.update(HTML(bar))
        if progress.kind == "end":
            self._handle = None
