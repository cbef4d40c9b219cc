#!/usr/bin/env python3
"""What `emobox export` writes, read by the packages whose forms they are: same keys, labels, speakers, parts, segments, samples.

    pip install audformat==1.4.3 datasets==3.6.0 soundfile==0.14.0 librosa pandas==2.3.3
    python3 parity/corpus/interchange.py EMOBOX RAW_EMODB

Lhotse's manifests and Kaldi's folder are read by their documented fields here: the package lhotse wants PyTorch, and Kaldi is no
Python package.
"""
import json, os, shutil, subprocess, sys, tempfile

import audformat, datasets, pandas, soundfile

emobox, raw = sys.argv[1:]
work = tempfile.mkdtemp()
home = work + "/home"
# AudioFolder reads only what lies beside its table, so the corpus is copied.
shutil.copytree(raw, work + "/raw")


def run(*call):
    return subprocess.run([emobox, "--home", home, "-q", *call], check=True, capture_output=True, text=True).stdout


def manifest(name):
    return [json.loads(line) for line in open(f"{home}/corpora/{name}/manifest.jsonl")]


def cut_corpus(rows):
    """Two segments of each file, in a table, so that segments are compared too."""
    with open(work + "/raw/cut.csv", "w") as out:
        out.write("file,emotion,speaker,start,end\n")
        for row in rows[:100]:
            for start, end in ((0.1, 0.4), (0.4, 0.7)):
                out.write(f"{row['wav']},{row['label']},{row['speaker']},{start},{end}\n")


def check(what, found, expected):
    assert len(found) == len(expected) > 0, (what, len(found), len(expected))
    for a, b in zip(sorted(found), sorted(expected)):
        assert a == b, (what, a, b)
    print(f"{what}: {len(found)} the same")


def samples(path, row):
    audio, rate = soundfile.read(path, dtype="int16")
    assert rate == row["sample_rate"], path
    if "start_time" not in row:
        assert len(audio) == row["num_frame"], path


def compare(name):
    rows = manifest(name)
    root = work + "/raw/"
    times = lambda r: (round(r.get("start_time", 0.0), 6), round(r.get("end_time", r["length"]), 6))
    for row in rows:
        samples(root + row["wav"], row)
    # audformat
    out = f"{work}/audformat-{name}"
    run("export", name, "--as", "audformat", "--out", out)
    table = audformat.Database.load(out)["emotion"].get()
    found = []
    for index, line in table.iterrows():
        if isinstance(index, tuple):
            file, start, end = index
            found.append((file, line["emotion"], line["speaker"], start.total_seconds(), end.total_seconds()))
        else:
            found.append((index, line["emotion"], line["speaker"]))
    segments = "start_time" in rows[0]
    expected = [(root + r["wav"], r["label"], r["speaker"]) + (times(r) if segments else ()) for r in rows]
    check(f"{name} audformat", found, expected)
    # Hugging Face AudioFolder, and pandas on the same columns
    run("export", name, "--as", "hf", "--out", work + "/raw")
    keys = [(r["key"], r["label"], r["speaker"]) for r in rows]
    table = pandas.read_csv(work + "/raw/metadata.csv", dtype=str)
    check(f"{name} csv by pandas", list(zip(table["key"], table["label"], table["speaker"])), keys)
    if not segments:
        folder = datasets.load_dataset("audiofolder", data_dir=work + "/raw", split="train", cache_dir=work + "/cache")
        folder = folder.cast_column("audio", datasets.Audio(decode=False))
        check(f"{name} AudioFolder", [(x["key"], x["label"], x["speaker"]) for x in folder], keys)
        by_key = {r["key"]: r for r in rows}
        for x in folder:
            samples(x["audio"]["path"], by_key[x["key"]])
    os.remove(work + "/raw/metadata.csv")
    # Lhotse
    out = f"{work}/lhotse-{name}"
    run("export", name, "--as", "lhotse", "--out", out)
    recordings = {r["id"]: r for r in map(json.loads, open(out + "/recordings.jsonl"))}
    found = []
    for s in map(json.loads, open(out + "/supervisions.jsonl")):
        recording = recordings[s["recording_id"]]
        source = recording["sources"][0]["source"]
        assert s["start"] + s["duration"] <= recording["duration"] + 1e-6
        start, end = round(s["start"], 6), round(s["start"] + s["duration"], 6)
        found.append((s["id"], source, s["custom"]["emotion"], s["speaker"], start, end))
    check(f"{name} Lhotse", found, [(r["key"], root + r["wav"], r["label"], r["speaker"], *times(r)) for r in rows])
    # Kaldi
    out = f"{work}/kaldi-{name}"
    run("export", name, "--as", "kaldi", "--out", out)
    read = lambda file: dict(line.rstrip("\n").split(" ", 1) for line in open(f"{out}/{file}"))
    for file in os.listdir(out):
        ids = [line.split(" ")[0] for line in open(f"{out}/{file}")]
        assert ids == sorted(ids) and len(ids) == len(set(ids)), file
    speakers = [line.split()[1] for line in open(out + "/utt2spk")]
    assert speakers == sorted(speakers), "utterances of a speaker lie apart"
    emotions, speakers = read("utt2emo"), read("utt2spk")
    check(f"{name} Kaldi", [(k, emotions[k], speakers[k]) for k in emotions], [(f"{r['speaker']}-{r['key']}", r["label"], r["speaker"]) for r in rows])


run("prepare", "emodb", "--raw", work + "/raw")
compare("emodb")
cut_corpus(manifest("emodb"))
run("prepare", "cut", "--raw", work + "/raw/cut.csv")
os.remove(work + "/raw/cut.csv")
compare("cut")
shutil.rmtree(work)
