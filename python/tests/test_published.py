"""The published interface: the README's loop on real corpora, the scores beside scikit-learn's."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import published_tree, raw

from emobox import EmoDataset, EmoEval, ScoreError


@pytest.mark.parametrize(("dataset", "folds", "utterances"), [("emodb", 5, 535), ("urdu", 1, 400)])
def test_the_published_readme_loop_runs(dataset: str, folds: int, utterances: int, tmp_path: Path) -> None:
    user_data_dir, meta_data_dir = published_tree(dataset, tmp_path)
    complete = sum(1 for _ in raw(dataset).rglob("*.wav")) >= utterances
    allow = {} if complete else {"allow_missing": True}
    label2idx = {"Angry": 0, "Happy": 1, "Neutral": 2, "Sad": 3, "Boredom": 4, "Disgust": 5, "Fear": 6}
    seen: list[str] = []

    def model(audio: np.ndarray) -> int:
        return int(np.abs(audio).mean() * 100) % len(label2idx)

    # The README's loop, but for its folds from 0 and the misplaced quotation mark in its last append.
    for fold in range(1, folds + 1):
        train = EmoDataset(dataset, user_data_dir, meta_data_dir, fold=fold, split="train", **allow)
        val = EmoDataset(dataset, user_data_dir, meta_data_dir, fold=fold, split="valid", **allow)
        for data in train:
            audio = data["audio"]
            label = data["label"]
            assert audio.dtype == np.float32 and audio.ndim == 1 and label in label2idx

        test = EmoDataset(dataset, user_data_dir, meta_data_dir, fold=fold, split="test", **allow)
        test_pred = []
        test_targets = []
        for data in test:
            key = data["key"]
            audio = data["audio"]
            label = data["label"]
            label_index = label2idx[label]
            pred = model(audio)
            test_pred.append({"key": key, "pred": pred})
            test_targets.append({"key": key, "label": label_index})

        scores = EmoEval(test_pred, test_targets).compute_metrics()
        assert set(scores) == {"ua", "wa", "micro_f1", "macro_f1", "confusion", "num", "report"}
        assert scores["num"] == len(test) == scores["confusion"].sum()
        keys = [set(part.keys) for part in (train, val, test)]
        assert all(keys) and not (keys[0] & keys[1] or keys[0] & keys[2] or keys[1] & keys[2])
        seen += test.keys
    assert len(seen) == len(set(seen))
    if complete and folds > 1:
        assert len(seen) == utterances


def test_scores_are_those_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    draw = random.Random(3)
    for classes in (["angry", "happy", "neutral", "a rather long name"], list(range(12))):
        labels = [draw.choice(classes[:-1]) for _ in range(200)]
        predictions = [draw.choice(classes) for _ in labels]
        rows = [({"key": i, "pred": p}, {"key": i, "label": t}) for i, (p, t) in enumerate(zip(predictions, labels))]
        found = EmoEval([r[0] for r in rows][::-1], [r[1] for r in rows]).compute_metrics()
        recalls = metrics.recall_score(labels, predictions, average=None, labels=sorted(set(labels)))
        assert found["ua"] == pytest.approx(recalls.mean(), abs=1e-12)
        assert found["wa"] == pytest.approx(metrics.accuracy_score(labels, predictions), abs=1e-12)
        assert found["micro_f1"] == pytest.approx(metrics.f1_score(labels, predictions, average="micro"), abs=1e-12)
        # Over the classes present in the reference: one that nobody says is no 0.
        macro = metrics.f1_score(labels, predictions, average="macro", labels=sorted(set(labels)))
        assert found["macro_f1"] == pytest.approx(macro, abs=1e-12)
        np.testing.assert_array_equal(found["confusion"], metrics.confusion_matrix(labels, predictions))
        assert found["report"] == metrics.classification_report(labels, predictions, zero_division=0)


def test_keys_must_match() -> None:
    labels = [{"key": "a", "label": 0}, {"key": "b", "label": 1}]
    with pytest.raises(ScoreError, match="1 keys have no prediction, the first is 'b'"):
        EmoEval([{"key": "a", "pred": 0}], labels)
    with pytest.raises(ScoreError, match="'a' stands there twice"):
        EmoEval([{"key": "a", "pred": 0}, {"key": "a", "pred": 1}], labels)
    with pytest.raises(ValueError, match=r"predictions\[0\]: expected a dictionary with key and pred"):
        EmoEval([{"key:key": 0}], labels)


def test_wrong_calls_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no metadata of emodb"):
        EmoDataset("emodb", tmp_path, tmp_path)
    (tmp_path / "emodb/fold_1").mkdir(parents=True)
    line = '{"key":"emodb-x","dataset":"emodb","wav":"x.wav","sample_rate":16000,"num_frame":16000,"length":1.0,"emo":"neutral"}\n'
    for part in ("train", "test"):
        (tmp_path / f"emodb/fold_1/emodb_{part}_fold_1.jsonl").write_text(line)
    with pytest.raises(ValueError, match=r"no fold 0: .* has folds 1 \(folds count from 1\)"):
        EmoDataset("emodb", tmp_path, tmp_path, fold=0)
    with pytest.raises(ValueError, match="split 'dev'"):
        EmoDataset("emodb", tmp_path, tmp_path, split="dev")
    with pytest.raises(FileNotFoundError, match="1 of 1 recordings are absent"):
        EmoDataset("emodb", tmp_path, tmp_path, split="test")


def test_torch_is_not_imported() -> None:
    import subprocess

    code = "import emobox, sys; sys.exit(any(m in sys.modules for m in ('torch', 'pandas', 'sklearn')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
