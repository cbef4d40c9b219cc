"""The compiled part of `emobox`. Structures cross the border as JSON; use the package, not this module."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import final

_Progress = Callable[[str, str, int, int, str], object] | None
_Array = tuple[bytes, int, int, int]
_States = tuple[bytearray, int, int, int]

__version__: str
__all__ = [
    "Encoder",
    "FeatureStore",
    "Model",
    "Probe",
    "Run",
    "__version__",
    "audit",
    "bench",
    "compare",
    "confusion",
    "corpora",
    "demo_corpus",
    "encoders",
    "evaluate",
    "extract",
    "fit",
    "load_audio",
    "partition",
    "prepare",
    "probe_audio",
    "pull_encoder",
    "read_manifest",
    "read_run",
    "resample",
    "set_threads",
    "submit",
    "verify",
]

def audit(
    corpus: str, utterances: str, partition: str, root: Path | None = None, progress: _Progress = None
) -> tuple[str, str]: ...
def bench(
    out: Path,
    experiment: str | None = None,
    path: Path | None = None,
    home: Path | None = None,
    progress: _Progress = None,
) -> Run: ...
def compare(corpus: str, a: tuple[str, str], b: tuple[str, str], seed: int = 0) -> Run: ...
def confusion(labels: Sequence[str], predictions: Sequence[str], classes: Sequence[str]) -> str: ...
def corpora() -> str: ...
def demo_corpus(folder: Path, seed: int) -> None: ...
def encoders() -> str: ...
def evaluate(
    name: str, predictions: str, corpus: str | None = None, utterances: str | None = None, seed: int = 0
) -> Run: ...
def extract(
    corpus: str,
    utterances: str,
    root: Path,
    encoder: Encoder,
    path: Path,
    how: str,
    progress: _Progress = None,
) -> str: ...
def fit(
    name: str,
    experiment: str | None = None,
    path: Path | None = None,
    out: Path | None = None,
    home: Path | None = None,
    progress: _Progress = None,
) -> tuple[Path, Run]: ...
def load_audio(
    path: Path,
    channel: int = 1,
    start: float | None = None,
    end: float | None = None,
    sample_rate: int = 16_000,
) -> bytearray: ...
def partition(corpus: str, utterances: str, cut: str) -> str: ...
def prepare(
    name: str,
    raw: Path,
    home: Path | None = None,
    allow_missing: bool = False,
    as_published: bool = False,
    progress: _Progress = None,
) -> tuple[Path, str, str]: ...
def probe_audio(path: Path) -> tuple[int, int]: ...
def pull_encoder(name: str, progress: _Progress = None) -> Path: ...
def read_manifest(path: Path) -> str: ...
def read_run(out: Path) -> Run: ...
def resample(samples: bytes, from_: int, to: int) -> bytearray: ...
def set_threads(threads: int) -> None: ...
def submit(out: Path, system: str, description: str, file: Path) -> str: ...
def verify(
    file: Path,
    partition_seed: int,
    training_seeds: int,
    home: Path | None = None,
    metadata: Path | None = None,
    encoders: str | None = None,
    progress: _Progress = None,
) -> tuple[str, str, Run]: ...

@final
class Encoder:
    def __new__(
        cls, name: str, path: Path | None = None, precision: str = "f32", device: str = "cpu"
    ) -> Encoder: ...
    def info(self) -> str: ...
    def frames(self, samples: int) -> int: ...
    def encode(self, samples: bytes, layers: str) -> _States: ...
    def encode_batch(
        self, waveforms: Sequence[bytes], layers: str, threads: int, progress: _Progress = None
    ) -> list[_States]: ...

@final
class FeatureStore:
    def __new__(cls, path: Path) -> FeatureStore: ...
    def header(self) -> str: ...
    def keys(self) -> list[str]: ...
    def contains(self, key: str) -> bool: ...
    def failures(self) -> list[tuple[str, str]]: ...
    def place(self, key: str) -> tuple[Path, int, str, int, int, int]: ...
    def verify(self) -> list[str]: ...

@final
class Model:
    def __new__(
        cls, named: Path, home: Path | None = None, encoder: Path | None = None, device: str = "cpu"
    ) -> Model: ...
    def classes(self) -> list[str]: ...
    def files(
        self,
        recordings: Sequence[Path],
        window: float | None = None,
        hop: float | None = None,
        progress: _Progress = None,
    ) -> str: ...
    def samples(self, samples: bytes) -> str: ...

@final
class Probe:
    @staticmethod
    def fit_arrays(training: str, arrays: Sequence[_Array], progress: _Progress = None) -> Probe: ...
    @staticmethod
    def fit_store(training: str, store: FeatureStore, progress: _Progress = None) -> Probe: ...
    @staticmethod
    def load(path: Path) -> Probe: ...
    def save(self, path: Path) -> None: ...
    def description(self) -> str: ...
    def curves(self) -> str | None: ...
    def predict_arrays(self, arrays: Sequence[_Array]) -> bytearray: ...
    def predict_store(self, store: FeatureStore, keys: Sequence[str]) -> bytearray: ...

@final
class Run:
    def scores(self) -> str: ...
    def render(self, format: str) -> str: ...
    def predictions(self) -> list[tuple[str, str, str, int, str]]: ...
    def folders(self) -> list[Path]: ...
    def skipped(self) -> int: ...
