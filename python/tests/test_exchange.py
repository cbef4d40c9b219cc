"""Scores as MTEB, Hugging Face evaluate, MLflow and Weights & Biases keep theirs, read by those packages themselves.

    emobox report RUN --mteb x/mteb --hf x/hf --mlflow x/mlflow --wandb x/wandb
    EMOBOX_EXCHANGE=x EMOBOX_RUN=RUN pytest --noconftest python/tests/test_exchange.py

Each test is skipped without its package. Read with mteb 2.26.24, evaluate 0.4.6, mlflow-skinny 3.17.2 and wandb 0.19.11 (the
last that has its reader in Python).
"""

import json
import os
from pathlib import Path

import pytest

FOLDER = os.environ.get("EMOBOX_EXCHANGE")
pytestmark = pytest.mark.skipif(FOLDER is None, reason="EMOBOX_EXCHANGE names no folder of exported scores")


def runs():
    scores = json.loads(Path(os.environ["EMOBOX_RUN"], "scores.json").read_text())
    return {(run["corpus"], run["encoder"]): run for run in scores["runs"] if run.get("headline")}


def below(name):
    return Path(FOLDER, name)


def test_mteb_loads_the_results():
    mteb = pytest.importorskip("mteb")
    found = {}
    for path in below("mteb").rglob("EmoBox-*.json"):
        result = mteb.TaskResult.from_disk(path)
        model = path.parent.parent.name
        found[(result.task_name.removeprefix("EmoBox-"), model)] = result.get_score()
        assert result.scores["test"][0]["hf_subset"] == "default"
        meta = json.loads((path.parent / "model_meta.json").read_text())
        assert meta["name"].endswith(model) and meta["revision"] == path.parent.name
    assert found == {cell: run["ua"] for cell, run in runs().items()}


def test_evaluate_saves_the_same_names(tmp_path):
    evaluate = pytest.importorskip("evaluate")
    files = sorted(below("hf").glob("*.json"))
    assert len(files) == len(runs())
    for path in files:
        ours = json.loads(path.read_text())
        run = runs()[(ours["dataset"], ours["model"])]
        assert (ours["accuracy"], ours["f1"], ours["recall"]) == (run["wa"], run["macro_f1"], run["ua"])
        # What evaluate writes of these results has every one of our keys and values, and its own notes beside them.
        evaluate.save(tmp_path / "saved.json", **ours)
        theirs = json.loads((tmp_path / "saved.json").read_text())
        assert {name: theirs[name] for name in ours} == ours


def test_mlflow_finds_runs_metrics_and_steps(monkeypatch):
    pytest.importorskip("mlflow")
    # The store in files is kept for reading; later versions ask to be told that it is meant.
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=below("mlflow").resolve().as_uri())
    experiment = client.get_experiment_by_name("emobox")
    found = client.search_runs([experiment.experiment_id])
    assert len(found) == len(runs())
    for run in found:
        ours = runs()[(run.data.params["corpus"], run.data.params["encoder"])]
        assert run.info.status == "FINISHED"
        assert run.data.metrics["ua"] == ours["ua"]
        losses = client.get_metric_history(run.info.run_id, "fold1_train_loss")
        assert [metric.step for metric in losses] == list(range(1, len(losses) + 1))
        assert len(losses) > 1


def test_wandb_reads_every_record():
    pytest.importorskip("wandb")
    datastore = pytest.importorskip("wandb.sdk.internal.datastore")
    from wandb.proto import wandb_internal_pb2

    cells = {}
    for path in below("wandb").glob("offline-run-*/run-*.wandb"):
        store = datastore.DataStore()
        store.open_for_scan(str(path))
        records = []
        while (data := store.scan_data()) is not None:
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            records.append(record)
        kinds = [record.WhichOneof("record_type") for record in records]
        assert kinds[0] == "run" and kinds[-2:] == ["summary", "exit"] and set(kinds[1:-2]) == {"history"}
        config = {item.key: json.loads(item.value_json) for item in records[0].run.config.update}
        summary = {item.key: json.loads(item.value_json) for item in records[-2].summary.update}
        rows = [{item.key: json.loads(item.value_json) for item in record.history.item} for record in records[1:-2]]
        assert [row["_step"] for row in rows] == list(range(len(rows)))
        assert "fold1_train_loss" in rows[0] and "fold_ua" in rows[-1]
        cells[(config["corpus"], config["encoder"])] = summary["ua"]
    assert cells == {cell: run["ua"] for cell, run in runs().items()}
