"""Speech emotion recognition made measurable.

Raw emotion corpora and frozen pre-trained speech encoders go in; scores that can be trusted come out.
The package is the `emobox` program as a library, and the published EmoBox tool's two classes, working::

    from emobox import EmoDataset, EmoEval          # the published interface, folds from 1

    import emobox
    manifest = emobox.prepare("emodb", "/data/emodb")
    folds = emobox.partition(manifest, "speaker")
    encoder = emobox.Encoder("wavlm-base")
    states = encoder("some.wav")                    # numpy [layer, frame, dim]

Long calls release the interpreter, report through `progress=` (a bar in notebooks by default), log to the
logger ``emobox`` and stop at Ctrl-C; what they have finished is found by the next call.
"""

from __future__ import annotations

from . import errors
from ._bench import BenchResult, CrossResult, bench, cross, demo_corpus, read_run, set_threads
from ._corpora import Card, Corpora, corpora
from ._emobox import __version__
from ._encoder import Encoder, encoders, load_audio, pull_encoder
from ._manifest import Manifest, Utterance, prepare
from ._model import Answer, FitResult, Model, fit
from ._partition import Audit, Partition, audit, partition
from ._probe import Probe
from ._progress import Progress
from ._published import EmoDataset, EmoEval
from ._scores import Comparison, Prediction, Scores, compare, evaluate
from ._share import Verified, submit, verify
from ._store import FeatureStore, extract
from .errors import (
    AudioError,
    CorpusError,
    EmoboxError,
    EncoderError,
    FeatureError,
    ProbeError,
    ScoreError,
)

__all__ = [
    "Answer",
    "Audit",
    "AudioError",
    "BenchResult",
    "Card",
    "Comparison",
    "Corpora",
    "CorpusError",
    "CrossResult",
    "EmoDataset",
    "EmoEval",
    "EmoboxError",
    "Encoder",
    "EncoderError",
    "FeatureError",
    "FeatureStore",
    "FitResult",
    "Manifest",
    "Model",
    "Partition",
    "Prediction",
    "Probe",
    "ProbeError",
    "Progress",
    "ScoreError",
    "Scores",
    "Utterance",
    "Verified",
    "__version__",
    "audit",
    "bench",
    "compare",
    "corpora",
    "cross",
    "demo_corpus",
    "encoders",
    "errors",
    "evaluate",
    "extract",
    "fit",
    "load_audio",
    "partition",
    "prepare",
    "pull_encoder",
    "read_run",
    "set_threads",
    "submit",
    "verify",
]
