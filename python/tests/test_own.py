"""Our own interface, on the demo corpus."""

from __future__ import annotations

import csv
import logging
from pathlib import Path

import numpy as np
import pytest

import emobox


def test_corpora_are_listed() -> None:
    cards = emobox.corpora()
    assert len(cards) == 33 and cards["emodb"].labels["anger"] == "Angry"
    assert "<table>" in cards._repr_html_() and any(row["name"] == "wavlm-base" for row in emobox.encoders())
    with pytest.raises(KeyError, match="registered are"):
        cards["emodb2"]


def test_a_manifest_iterates_filters_and_survives_writing(demo: emobox.Manifest, tmp_path: Path) -> None:
    assert len(demo) == len(list(demo)) and demo.report["summary"]
    angry = demo.filter(label="Angry")
    some = demo.filter(lambda u: u.length > 0, label=["Angry", "Sad"], speaker=demo.speakers[0])
    assert 0 < len(angry) < len(demo) and {u.label for u in some} == {"Angry", "Sad"}
    with pytest.raises(ValueError, match="no field 'colour'"):
        demo.filter(colour="blue")
    demo.write(tmp_path / "m.jsonl")
    again = emobox.Manifest.read(tmp_path / "m.jsonl", root=demo.root)
    assert again == demo and again[demo[3].key] == demo[3] and len(again[:5]) == 5
    audio = demo.audio(demo[0])
    assert audio.dtype == np.float32 and abs(len(audio) / 16_000 - demo[0].length) < 1e-3
    assert "Angry" in demo._repr_html_()


def test_a_manifest_becomes_a_data_frame(demo: emobox.Manifest) -> None:
    pytest.importorskip("pandas")
    frame = demo.to_pandas()
    assert len(frame) == len(demo) and set(frame["label"]) == set(demo.classes)


def test_partitions_are_cut_and_audited(demo: emobox.Manifest) -> None:
    folds = emobox.partition(demo, "speaker", seed=1)
    tested = [key for fold in range(1, folds.folds + 1) for key in folds.keys(fold, "test")]
    assert sorted(tested) == sorted(u.key for u in demo)
    train, test = (folds.select(demo, 1, role) for role in ("train", "test"))
    assert not set(train.speakers) & set(test.speakers)
    found = emobox.audit(demo, folds, listen=True)
    assert "speaker" in found.verdict and found.details["audio"] is not None
    assert "<table>" in folds._repr_html_() and "<table>" in found._repr_html_()
    with pytest.raises(ValueError, match="unknown scheme"):
        emobox.partition(demo, "fair")  # type: ignore[arg-type]
    with pytest.raises(emobox.CorpusError, match="does not fit the manifest"):
        emobox.audit(demo[:10], folds)


def test_an_encoder_takes_audio_and_paths(demo: emobox.Manifest) -> None:
    encoder = emobox.Encoder("fbank")
    path = demo.path(demo[0])
    states = encoder(path)
    assert states.shape == (encoder.hidden_states, encoder.frames(len(demo.audio(demo[0]))), encoder.dim)
    np.testing.assert_array_equal(states, encoder(emobox.load_audio(path)))
    for one, many in zip(demo[:4], encoder.batch([demo.path(u) for u in demo[:4]], threads=2)):
        np.testing.assert_array_equal(encoder(demo.path(one)), many)
    eight = emobox.load_audio(path, sample_rate=8_000)
    assert abs(encoder(eight, sample_rate=8_000).shape[1] - states.shape[1]) <= 1
    with pytest.raises(ValueError, match="expected one channel"):
        encoder(np.zeros((2, 100)))
    with pytest.raises(emobox.EncoderError, match="wavlm-base"):
        emobox.Encoder("wavlm-bass")


def test_features_are_views_of_the_file(store: emobox.FeatureStore) -> None:
    key = next(iter(store))
    first, again = store[key], store[key]
    assert first.dtype == np.float16 and first.shape[0] == 1 and first.shape[2] == store.header["dim"]
    # The same bytes at the same address, in pages that belong to the shard file.
    assert first.__array_interface__["data"][0] == again.__array_interface__["data"][0]
    assert np.shares_memory(first, again) and not first.flags.owndata and not first.flags.writeable
    shard = Path(store._inner.place(key)[0])
    mapped = [line.split(maxsplit=5) for line in _maps() if line.rstrip().endswith(str(shard.resolve()))]
    address = first.__array_interface__["data"][0]
    assert not _maps() or any(
        int(fields[0].split("-")[0], 16) <= address < int(fields[0].split("-")[1], 16) for fields in mapped
    )
    with pytest.raises(ValueError, match="read-only"):
        first[0, 0, 0] = 1
    with pytest.raises(ValueError):
        first.flags.writeable = True
    with pytest.raises(KeyError, match="'nobody' has no features"):
        store["nobody"]
    assert store.verify() == [] and key in store and len(store) == len(list(store))


def _maps() -> list[str]:
    path = Path("/proc/self/maps")
    return path.read_text().splitlines() if path.exists() else []


def test_probes_are_trained_saved_and_predict(
    demo: emobox.Manifest, store: emobox.FeatureStore, tmp_path: Path
) -> None:
    folds = emobox.partition(demo, "speaker")
    train, test = (folds.select(demo, 1, role) for role in ("train", "test"))
    seen: list[emobox.Progress] = []
    probe = emobox.Probe.fit(
        store,
        {u.key: u.label for u in train},
        speakers={u.key: u.speaker for u in train},
        epochs=20,
        progress=seen.append,
    )
    assert seen[0].kind == "begin" and seen[-1].kind == "end" and seen[-1].done == 20
    predicted = probe.predict(store, [u.key for u in test])
    right = np.mean([p == u.label for p, u in zip(predicted, test)])
    assert right > 1.5 / len(demo.classes), right
    probe.save(tmp_path / "probe")
    loaded = emobox.Probe.load(tmp_path / "probe")
    keys = [u.key for u in test]
    np.testing.assert_array_equal(loaded.predict_log_proba(store, keys), probe.predict_log_proba(store, keys))
    # Hidden states in memory are treated as a store would: the same scores.
    encoder = emobox.Encoder("fbank")
    arrays = [encoder(demo.path(u), layers="last") for u in test]
    np.testing.assert_array_equal(probe.predict_log_proba(arrays), probe.predict_log_proba(store, keys))
    np.testing.assert_allclose(probe.predict_proba(arrays).sum(axis=1), 1)


def test_probes_are_trained_on_arrays() -> None:
    draw = np.random.default_rng(0)
    labels = ["low", "high"] * 30
    arrays = [draw.normal(size=(20, 8)).astype(np.float32) for _ in labels]
    for array, label in zip(arrays, labels):
        array[:, 0] += 3 if label == "high" else -3
    probe = emobox.Probe.fit(arrays, labels, epochs=10, valid=list(range(12)))
    assert probe.predict(arrays) == labels and probe.curves
    with pytest.raises(emobox.ProbeError, match="at least 2 classes"):
        emobox.Probe.fit(arrays[:4], ["low"] * 4)
    with pytest.raises(ValueError, match="expected a sequence of 60"):
        emobox.Probe.fit(arrays, labels[:3])


def test_predictions_are_scored_and_compared(demo: emobox.Manifest, tmp_path: Path) -> None:
    good = [emobox.Prediction(u.key, u.label, u.label) for u in demo]
    half = [{"key": u.key, "label": u.label, "prediction": u.label if i % 2 else "Angry"} for i, u in enumerate(demo)]
    scores = emobox.evaluate(good, demo)
    assert scores.ua == scores.wa == scores.macro_f1 == 1.0 and "UA" in str(scores)
    comparison = emobox.compare(good, half, names=("good", "half"), corpus="demo")
    assert comparison.details["ua"]["difference"] > 0.2 and "good" in comparison._repr_html_()
    # Speakers that only one side names are those of both.
    spoken = [emobox.Prediction(u.key, u.label, u.label, speaker=u.speaker) for u in demo]
    interval, of_itself = (emobox.compare(spoken, other).details["interval"] for other in (half, spoken))
    # Every speaker loses as much here: the least that speakers are taken to differ by gives it an interval.
    assert "refused" not in interval and interval == of_itself
    with pytest.raises(ValueError, match="are not in the manifest"):
        emobox.evaluate(good, demo[:3])
    (tmp_path / "p.jsonl").write_text('{"key": "a"}\n')
    with pytest.raises(emobox.ScoreError, match="p.jsonl"):
        emobox.evaluate(tmp_path / "p.jsonl")


def test_a_benchmark_runs_and_is_read_back(
    tmp_path: Path, demo: emobox.Manifest, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[emobox.Progress] = []
    with caplog.at_level(logging.INFO, logger="emobox"):
        result = emobox.bench(
            out=tmp_path / "out",
            corpora={"demo": demo.root},
            encoders=["fbank"],
            head="mean-linear",
            training_seeds=1,
            home=tmp_path / "home",
            progress=seen.append,
        )
    assert {p.unit for p in seen} >= {"utterances", "epochs"} and any("encoding demo" in m for m in caplog.messages)
    assert result.report.is_file() and 0 < result.ua <= 1 and "<table>" in result._repr_html_()
    predictions = result.predictions["demo", "fbank"]
    assert emobox.evaluate(predictions, demo).wa == pytest.approx(result.wa, abs=1e-12)
    assert emobox.read_run(tmp_path / "out").details == result.details
    assert emobox.Probe.load(result.probes[0] / "fold1/probe").classes == demo.classes
    assert capfd.readouterr() == ("", "")
    with pytest.raises(ValueError, match="unknown field `colour`"):
        emobox.bench(corpora=["demo"], encoders=["fbank"], colour="blue")
    with pytest.raises(ValueError, match="no encoder is named"):
        emobox.bench(corpora=["demo"], out=tmp_path / "x")


def test_tensorboard_reads_the_curves(demo: emobox.Manifest, tmp_path: Path) -> None:
    """The event files of a fold say what its CSV says; the real package checks every checksum."""
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    result = emobox.bench(
        out=tmp_path / "out", corpora={"demo": demo.root}, encoders=["fbank"], head="mean-linear", home=tmp_path / "home"
    )
    fold = result.probes[0] / "fold1"
    curves: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in csv.DictReader((fold / "curves.csv").open()):
        curves.setdefault((row["seed"], row["learning_rate"], row["hidden"]), []).append(row)
    assert len(curves) > 1
    for number, rows in enumerate(curves.values()):
        events = reader.EventAccumulator(str(fold / f"tensorboard/point{number}")).Reload()
        for tag, column in [("loss/train", "train_loss"), ("loss/valid", "valid_loss"), ("ua/valid", "valid_ua")]:
            found = [(s.step, s.value) for s in events.Scalars(tag)]
            expected = [(int(row["epoch"]), float(row[column])) for row in rows]
            np.testing.assert_allclose(found, expected, rtol=1e-6)
