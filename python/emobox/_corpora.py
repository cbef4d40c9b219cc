from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from . import _emobox
from ._html import table


@dataclass(frozen=True)
class Card:
    """What is known of a corpus."""

    name: str
    """Registered name, prefix of every key: ``emodb``."""
    title: str
    """The name in the paper's Table 1: ``EmoDB``."""
    languages: tuple[str, ...]
    """Languages spoken, in English."""
    classes: tuple[str, ...]
    """The harmonised classes."""
    labels: dict[str, str]
    """Raw label to harmonised class."""
    speakers: int | None
    """Speakers as in Table 1, where it prints a number."""
    utterances: int
    """Utterances as in Table 1."""
    hours: float
    """Hours as in Table 1."""
    licence: str
    """Licence as far as known."""
    homepage: str
    """Project page."""
    citation: str
    """Author, title, venue, year."""
    layout: str
    """The expected folder as a small tree."""
    details: dict[str, Any]
    """The whole card: access, audio, differences from the published metadata, notes."""


class Corpora(list[Card]):
    """All registered corpora, by position or by name."""

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, str):
            for card in self:
                if card.name == index:
                    return card
            known = ", ".join(card.name for card in self)
            raise KeyError(f"no corpus {index!r}; registered are {known}")
        return super().__getitem__(index)

    def _repr_html_(self) -> str:
        rows = [
            (
                card.name,
                ", ".join(card.languages),
                len(card.classes),
                card.speakers if card.speakers is not None else "–",
                card.utterances,
                f"{card.hours:.1f}",
                card.licence,
            )
            for card in self
        ]
        columns = ("corpus", "language", "classes", "speakers", "utterances", "hours", "licence")
        return table(columns, rows)


def corpora() -> Corpora:
    """The cards of all registered corpora."""
    return Corpora(_card(card, classes) for card, classes in json.loads(_emobox.corpora()))


def _card(card: dict[str, Any], classes: list[str]) -> Card:
    size = card["table1"]
    return Card(
        name=card["name"],
        title=card["title"],
        languages=tuple(card["languages"]),
        classes=tuple(classes),
        labels=dict(card["labels"]),
        speakers=size["speakers"],
        utterances=size["utterances"],
        hours=size["hours"],
        licence=card["licence"],
        homepage=card["homepage"],
        citation=card["citation"],
        layout=card["layout"],
        details=card,
    )
