"""Exceptions. Files that are absent or may not be read raise `FileNotFoundError`, `PermissionError` or
another `OSError`; wrong arguments raise `ValueError`; everything else is one of these."""

from __future__ import annotations


class EmoboxError(Exception):
    """The base of all the others."""


class AudioError(EmoboxError, ValueError):
    """A recording that cannot be decoded."""


class CorpusError(EmoboxError, ValueError):
    """A raw release, manifest or partition that is not what it should be."""


class EncoderError(EmoboxError, ValueError):
    """An encoder that is unknown, incomplete or not on this machine, or audio it cannot take."""


class FeatureError(EmoboxError, ValueError):
    """A feature store that is incomplete, damaged, or made in another way than asked."""


class ProbeError(EmoboxError, ValueError):
    """Data on which no probe can be trained, or features that a probe cannot read."""


class ScoreError(EmoboxError, ValueError):
    """Predictions that cannot be scored."""
