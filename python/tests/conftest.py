"""What several tests need: the demo corpus prepared and encoded once, and real corpora where they are."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

import emobox

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("EMOBOX_SHARED", REPOSITORY.parent / "shared"))


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> emobox.Manifest:
    folder = tmp_path_factory.mktemp("demo")
    return emobox.prepare("demo", emobox.demo_corpus(folder / "raw"), home=folder / "home")


@pytest.fixture(scope="session")
def store(demo: emobox.Manifest, tmp_path_factory: pytest.TempPathFactory) -> emobox.FeatureStore:
    return emobox.extract(demo, emobox.Encoder("fbank"), tmp_path_factory.mktemp("features") / "demo")


@pytest.fixture(scope="session")
def whisper() -> Path:
    return _there(SHARED / "weights/whisper-tiny.en")


def raw(corpus: str) -> Path:
    """The raw release of a real corpus, or a skip."""
    return _there(SHARED / "corpora" / corpus)


def _there(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"{path} is not there: real data lie beside the checkout, or where EMOBOX_SHARED says")
    return path


def published_tree(corpus: str, folder: Path) -> tuple[Path, Path]:
    """The published tool's two folders, with the published lists of a corpus made from the reference rows and the
    real recordings linked in: (user_data_dir, meta_data_dir)."""
    reference = _there(SHARED / "reference")
    user, meta = folder / "EmoBox", folder / "EmoBox/data"
    (user / "downloads").mkdir(parents=True)
    (user / "downloads" / corpus).symlink_to(raw(corpus), target_is_directory=True)
    with gzip.open(reference / f"{corpus}.tsv.gz", "rt", encoding="utf-8") as table:
        header = table.readline().rstrip("\n").split("\t")
        rows = [dict(zip(header, line.rstrip("\n").split("\t"))) for line in table]
    lists: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        line = json.dumps(
            {
                "key": row["key"],
                "dataset": corpus,
                "wav": f"downloads/{corpus}/{row['path']}",
                "type": "raw",
                "sample_rate": int(row["sample_rate"]),
                "num_frame": float(row["seconds"]) * int(row["sample_rate"]),
                "task": "category",
                "length": float(row["seconds"]),
                "emo": row["raw_label"],
                "channel": int(row["channel"]),
            }
        )
        for place in row["split"].split():
            part, fold = place.split(":")
            lists.setdefault((part, fold), []).append(line)
    for (part, fold), lines in lists.items():
        path = meta / corpus / f"fold_{fold}" / f"{corpus}_{part}_fold_{fold}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    labels = json.loads((reference / "label_map.json").read_text(encoding="utf-8"))[corpus]
    (meta / corpus / "label_map.json").write_text(json.dumps(labels), encoding="utf-8")
    return user, meta
