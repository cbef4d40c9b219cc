"""What Python code may expect of the package: plain types in, no surprises."""

from __future__ import annotations

import multiprocessing
import pickle
from pathlib import Path

import numpy as np
import pytest

import emobox


def test_waveforms_are_scaled_by_their_type_and_other_scales_are_refused(whisper_or_fbank: emobox.Encoder) -> None:
    draw = np.random.default_rng(0)
    shorts = draw.integers(-20_000, 20_000, 16_000).astype(np.int16)
    floats = shorts / np.float32(32_768)
    expected = whisper_or_fbank(floats)
    np.testing.assert_array_equal(whisper_or_fbank(shorts), expected)
    np.testing.assert_array_equal(whisper_or_fbank(shorts.astype(np.int32) * 65_536), expected)
    np.testing.assert_array_equal(whisper_or_fbank(list(map(float, floats))), expected)
    bytes_ = draw.integers(0, 256, 16_000).astype(np.uint8)
    np.testing.assert_array_equal(whisper_or_fbank(bytes_), whisper_or_fbank((bytes_ - np.float32(128)) / 128))
    with pytest.raises(ValueError, match="divide 16-bit samples by 32768"):
        whisper_or_fbank(shorts.astype(np.float32))
    with pytest.raises(ValueError, match="uint16"):
        whisper_or_fbank(shorts.astype(np.uint16))
    with pytest.raises(ValueError, match=r"shape \(2, 8000\)"):
        whisper_or_fbank(floats.reshape(2, -1))


@pytest.fixture(scope="module")
def whisper_or_fbank() -> emobox.Encoder:
    return emobox.Encoder("fbank")


def test_a_part_that_is_not_there_is_an_error_that_lists_the_parts(demo: emobox.Manifest) -> None:
    folds = emobox.partition(demo, "speaker")
    assert folds.parts(1)[0] == "train" and "test" in folds.parts(1)
    assert len(folds.select(demo, 1, "test")) > 0
    with pytest.raises(ValueError, match="'tets' is no part of fold 1 of demo; there are train,.* test"):
        folds.select(demo, 1, "tets")


def _some(demo: emobox.Manifest, folder: Path, speakers: list[str]) -> Path:
    """A corpus of one's own: two utterances of each emotion and speaker."""
    lines = ["path,label,speaker"]
    folder.mkdir(parents=True)
    for speaker in speakers:
        for label in demo.classes:
            for utterance in demo.filter(speaker=speaker, label=label)[:2]:
                name = f"{utterance.key}.wav"
                (folder / name).write_bytes(demo.path(utterance).read_bytes())
                lines.append(f"{name},{label},{speaker}")
    (folder / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def bench(demo: emobox.Manifest, tmp_path_factory: pytest.TempPathFactory) -> tuple[emobox.BenchResult, Path]:
    folder = tmp_path_factory.mktemp("bench")
    home = folder / "home"
    corpora = {"small": _some(demo, folder / "raw", demo.speakers[:4])}
    result = emobox.bench(
        corpora=corpora, encoders=["fbank"], scheme=["paper", "speaker"], training_seeds=2, out=folder / "out", home=home
    )
    return result, home


def test_a_run_is_read_back_with_its_predictions_and_probes(bench: tuple[emobox.BenchResult, Path]) -> None:
    result, _ = bench
    again = emobox.read_run(result.out)
    assert again.predictions == result.predictions
    assert set(again.predictions) == {("small", "fbank@paper"), ("small", "fbank@speaker")}
    assert again.predictions_of(1) == result.predictions_of(1) != again.predictions
    assert again.probes == result.probes and len(again.probes) == 2
    assert all(isinstance(emobox.Probe.load(folder / "fold1" / "probe"), emobox.Probe) for folder in again.probes)


def test_scores_show_themselves_and_become_data_frames(bench: tuple[emobox.BenchResult, Path]) -> None:
    pandas = pytest.importorskip("pandas")
    result, _ = bench
    assert repr(result).startswith("<BenchResult: small with fbank: UA ")
    assert "<table" in result._repr_html_()
    frame = result.to_pandas()
    assert len(frame) == len(result.runs) and frame["headline"].sum() == 2
    assert frame.loc[frame["headline"], "ua"].iloc[0] == result.ua
    # Predictions as a data frame give the same scores as the lines.
    rows = [vars(one) for one in result.predictions["small", "fbank@speaker"]]
    lines = emobox.evaluate(rows)
    assert emobox.evaluate(pandas.DataFrame(rows)).details == lines.details
    assert emobox.evaluate(pandas.DataFrame(rows).set_index("key")).ua == lines.ua
    with pytest.raises(ValueError, match="no column 'prediction'; it has key, label"):
        emobox.evaluate(pandas.DataFrame({"key": ["a"], "label": ["b"]}))


def test_a_manifest_comes_from_a_data_frame_and_goes_back(demo: emobox.Manifest) -> None:
    pandas = pytest.importorskip("pandas")
    assert demo.root is not None
    assert emobox.Manifest.from_pandas(demo.to_pandas(), demo.root) == demo
    small = pandas.DataFrame([{"wav": u.wav, "label": u.label, "speaker": u.speaker, "mood": 3} for u in demo])
    made = emobox.Manifest.from_pandas(small, demo.root, "mine")
    assert (made.corpus, len(made), made.classes, made.speakers) == ("mine", len(demo), demo.classes, demo.speakers)
    by_file = {u.wav: u for u in demo}
    for one in made:
        assert (one.sample_rate, one.num_frame) == (by_file[one.wav].sample_rate, by_file[one.wav].num_frame)
        assert abs(one.length - by_file[one.wav].length) < 1e-6
    assert emobox.partition(made, "speaker").folds > 1
    with pytest.raises(ValueError, match="no column 'label'"):
        emobox.Manifest.from_pandas(small.drop(columns="label"), demo.root)
    with pytest.raises(ValueError, match="is the key of 2 rows"):
        emobox.Manifest.from_pandas(pandas.concat([small, small.iloc[:1]]), demo.root, "mine")
    with pytest.raises(FileNotFoundError):
        emobox.Manifest.from_pandas(small.assign(wav="nowhere.wav"), demo.root, "mine")


def _loudness(arguments: tuple[emobox.FeatureStore, emobox.Encoder, str]) -> tuple[float, int]:
    store, encoder, key = arguments
    return float(store[key].mean()), encoder(np.zeros(16_000, np.float32)).shape[1]


def test_stores_and_encoders_go_to_spawned_workers(store: emobox.FeatureStore) -> None:
    encoder = emobox.Encoder("fbank")
    again = pickle.loads(pickle.dumps(store))
    assert list(again) == list(store) and again.header == store.header
    assert pickle.loads(pickle.dumps(encoder)).info == encoder.info
    keys = list(store)[:4]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.map(_loudness, [(store, encoder, key) for key in keys])
    assert found == [(float(store[key].mean()), encoder.frames(16_000)) for key in keys]


class _Frames:
    """What torch calls a map-style dataset."""

    def __init__(self, store: emobox.FeatureStore) -> None:
        self.store, self.keys = store, list(store)[:8]

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, at: int) -> np.ndarray:
        return self.store[self.keys[at]][-1].mean(axis=0, dtype=np.float32)


def test_a_torch_data_loader_with_two_spawned_workers(store: emobox.FeatureStore) -> None:
    data = pytest.importorskip("torch.utils.data", exc_type=ImportError)
    frames = _Frames(store)
    loader = data.DataLoader(frames, batch_size=4, num_workers=2, multiprocessing_context="spawn")
    found = np.concatenate([batch.numpy() for batch in loader])
    np.testing.assert_array_equal(found, np.stack([frames[at] for at in range(len(frames))]))


def _one_recording(demo: emobox.Manifest, folder: Path) -> Path:
    """A RAVDESS of which one file is there."""
    place = folder / "ravdess/Actor_01/03-01-01-01-01-01-01.wav"
    place.parent.mkdir(parents=True)
    place.write_bytes(demo.path(demo[0]).read_bytes())
    return folder / "ravdess"


def test_errors_speak_python(tmp_path: Path, demo: emobox.Manifest) -> None:
    with pytest.raises(ValueError, match="add corpus=NAME=DIR"):
        emobox.bench(encoders=["fbank"], home=tmp_path, out=tmp_path / "o")
    with pytest.raises(emobox.CorpusError, match="allow_missing=True") as error:
        emobox.prepare("ravdess", _one_recording(demo, tmp_path), home=tmp_path)
    assert "--" not in str(error.value)


def test_a_submission_is_verified_and_a_forged_one_refused(bench: tuple[emobox.BenchResult, Path], tmp_path: Path) -> None:
    result, home = bench
    alone = emobox.bench(
        corpora={"small": None}, encoders=["fbank"], scheme="speaker", training_seeds=2, out=tmp_path / "out", home=home
    )
    file = tmp_path / "fbank.json"
    assert len(emobox.submit(alone.out, "fbank", file)) == 64
    verified = emobox.verify(file, home=home, training_seeds=2)
    assert (verified.system, verified.verdict, verified.ua) == ("fbank", "consistent", alone.ua)
    again = emobox.verify(file, home=home, training_seeds=2, rerun=True, encoders=["fbank"])
    assert again.verdict == "reproduced"
    file.write_text(file.read_text().replace(f'"ua": {alone.ua}', '"ua": 0.99'))
    with pytest.raises(emobox.EmoboxError):
        emobox.verify(file, home=home, training_seeds=2)


def test_a_model_is_fitted_and_asked(bench: tuple[emobox.BenchResult, Path], demo: emobox.Manifest) -> None:
    _, home = bench
    fitted = emobox.fit("mine", corpora={"small": None}, encoders=["fbank"], home=home, training_seeds=2)
    assert fitted.card.exists() and 0 <= fitted.ua <= 1
    model = emobox.Model("mine", home=home)
    assert model.classes == demo.classes and "mine" in repr(model)
    path = demo.path(demo[0])
    answer = model(path)
    assert answer.prediction in model.classes and abs(sum(answer.probabilities.values()) - 1) < 1e-6
    assert model(demo.audio(demo[0])).probabilities == answer.probabilities
    assert [one.prediction for one in emobox.Model(fitted.folder).predict([path])] == [answer.prediction]
    assert len(model.predict(path, window=0.5)) > 1
    assert pickle.loads(pickle.dumps(model)).classes == model.classes


def test_across_corpora(demo: emobox.Manifest, tmp_path: Path) -> None:
    speakers = demo.speakers
    raw = {name: _some(demo, tmp_path / name, some) for name, some in (("one", speakers[:3]), ("two", speakers[3:6]))}
    result = emobox.cross(
        corpora=raw,
        encoders=["fbank"],
        labeller="fbank",
        classes={name.lower(): [name] for name in demo.classes},
        training_seeds=1,
        out=tmp_path / "out",
        home=tmp_path / "home",
    )
    [matrix] = result.matrices
    assert matrix["encoder"] == "fbank" and len(matrix["cells"]) >= 2
    assert repr(result).startswith("<CrossResult: average over pairs: fbank ")
    assert emobox.read_run(result.out).details["cross"] == result.details["cross"]
