#!/usr/bin/env python3
"""What `emobox export` writes, read by the packages whose forms they are: same keys, labels, speakers, parts, segments, samples.

    pip install audformat==1.4.3 datasets==3.6.0 lhotse==1.33.0 webdataset==1.0.2 soundfile==0.14.0 librosa pandas==2.3.3
    python3 parity/corpus/interchange.py EMOBOX RAW_EMODB

And the other way: what these packages write of the same corpus, prepared by emobox. Kaldi's folders are read and written by lhotse,
which imports PyTorch and needs none of it for manifests; where PyTorch is not installed, a stand-in takes its place.
"""
import importlib.abc, importlib.machinery, importlib.util, io, json, os, shutil, subprocess, sys, tempfile, types


class StandIn(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Modules of which every attribute is a class with every attribute: enough to be imported, not to compute."""

    class Meta(type):
        def __getattr__(cls, name):
            if name.startswith("__"):
                raise AttributeError(name)
            return StandIn.thing(name)

    @staticmethod
    def thing(name):
        def attribute(self, name):
            if name.startswith("__"):
                raise AttributeError(name)
            return 0

        call = lambda self, *a, **k: a[0] if a else self
        of = classmethod(lambda cls, item: cls)
        return StandIn.Meta(name, (), {"__getattr__": attribute, "__init__": lambda self, *a, **k: None, "__call__": call, "__class_getitem__": of})

    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in ("torch", "torchaudio"):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        module = types.ModuleType(spec.name)
        module.__path__, module.__version__ = [], "2.0.0"

        def attribute(name):
            if name.startswith("__"):
                raise AttributeError(name)
            return StandIn.thing(name)

        module.__getattr__ = attribute
        return module

    def exec_module(self, module):
        pass


import audformat, datasets, pandas, soundfile, webdataset

if not importlib.util.find_spec("torch"):
    sys.meta_path.insert(0, StandIn())
import lhotse

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


def back(what, rows, files, with_gender=True, with_key=True, to=None, raw=None, also=lambda rows: None):
    """Prepares a folder in which `files` are written beside the audio; keys, labels, speakers and places are as they were."""
    folder = raw or work + "/raw"
    for file, write in files.items():
        write(f"{folder}/{file}")
    run("prepare", "back", "--raw", folder)
    found = manifest("back")
    near = lambda seconds: seconds if to is None else round(seconds, to)
    place = lambda r: (near(r.get("start_time") or 0.0), near(r["length"]), r["sample_rate"])
    fields = ["label", "speaker", "text"] + ["key"] * with_key + ["gender"] * with_gender
    tell = lambda rows: [tuple(str(r.get(field)) for field in fields) + tuple(map(str, place(r))) for r in rows]
    check(what, tell(found), tell(rows))
    also(found)
    for file in files:
        os.remove(f"{folder}/{file}")


def same_samples(rows, found):
    """The audio that was inside is the audio there was."""
    by_key = {r["key"]: r for r in rows}
    root = json.load(open(home + "/corpora/back/prepare.json"))["root"]
    for row in found:
        mine, _ = soundfile.read(f"{root}/{row['wav']}", dtype="int16")
        theirs, _ = soundfile.read(f"{work}/raw/{by_key[row['key']]['wav']}", dtype="int16")
        assert (mine == theirs).all(), row["key"]


def packed(name, rows):
    """Parquet and tar with the audio inside, by the packages."""
    content = lambda r: open(f"{work}/raw/{r['wav']}", "rb").read()
    names = sorted({r["label"] for r in rows})
    columns = {"audio": [{"path": os.path.basename(r["wav"]), "bytes": content(r)} for r in rows], "label": [names.index(r["label"]) for r in rows]}
    features = {"audio": datasets.Audio(), "label": datasets.ClassLabel(names=names)}
    for field in ("key", "speaker", "gender", "text"):
        columns[field] = [r.get(field) for r in rows]
        features[field] = datasets.Value("string")
    folder = f"{work}/parquet-{name}"
    os.makedirs(folder)
    table = datasets.Dataset.from_dict(columns, features=datasets.Features(features))
    back(f"{name} Parquet of datasets", rows, {"all.parquet": lambda path: table.to_parquet(path)}, raw=folder, also=lambda found: same_samples(rows, found))
    folder = f"{work}/tar-{name}"
    os.makedirs(folder)
    with webdataset.TarWriter(folder + "/all-000000.tar") as shard:
        for r in rows:
            about = {field: r[field] for field in ("key", "label", "speaker", "gender", "text") if r.get(field)}
            shard.write({"__key__": os.path.splitext(os.path.basename(r["wav"]))[0], "wav": content(r), "json": about})
    back(f"{name} tar of webdataset", rows, {}, raw=folder, also=lambda found: same_samples(rows, found))


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
    # And what audformat itself writes of it again, in both of its forms of tables.
    for storage in ("csv", "parquet"):
        again = f"{work}/again-{storage}-{name}"
        audformat.Database.load(out).save(again, storage_format=storage)
        files = {file: (lambda path, file=file: shutil.copy(f"{again}/{file}", path)) for file in os.listdir(again)}
        back(f"{name} audformat {storage}", rows, files, with_key=False)
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
    recordings = lhotse.RecordingSet.from_jsonl(out + "/recordings.jsonl")
    supervisions = lhotse.SupervisionSet.from_jsonl(out + "/supervisions.jsonl")
    cuts = lhotse.CutSet.from_manifests(recordings=recordings, supervisions=supervisions)
    lhotse.validate_recordings_and_supervisions(recordings, supervisions, read_data=False)
    for recording in recordings:
        audio, rate = soundfile.read(recording.sources[0].source, dtype="int16")
        assert (rate, len(audio)) == (recording.sampling_rate, recording.num_samples) or segments, recording.id
    read = [(s.id, recordings[s.recording_id].sources[0].source, s.custom["emotion"], s.speaker, round(s.start, 6), round(s.end, 6)) for s in supervisions]
    check(f"{name} lhotse package", read, [(r["key"], root + r["wav"], r["label"], r["speaker"], *times(r)) for r in rows])
    back(f"{name} lhotse cuts", rows, {"cuts.jsonl.gz": lambda path: cuts.to_file(path)})
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
    if segments:
        # It wants a text of every segment, which this corpus does not have.
        open(out + "/text", "w").writelines(k + "\n" for k in emotions)
        by_lhotse = lhotse.kaldi.load_kaldi_data_dir(out, 16000)[1]
        check(f"{name} Kaldi by lhotse", [(s.id, s.speaker, round(s.start, 6), round(s.end, 6)) for s in by_lhotse], [(f"{r['speaker']}-{r['key']}", r["speaker"], *times(r)) for r in rows])
    # What lhotse makes a Kaldi folder of, with the labels that Kaldi has no place for. It rounds times to milliseconds.
    folder = f"{work}/kaldi-of-lhotse-{name}"
    lhotse.kaldi.export_to_kaldi(recordings, supervisions, folder)
    files = {file: (lambda path, file=file: shutil.copy(f"{folder}/{file}", path)) for file in os.listdir(folder)}
    files["utt2emo"] = lambda path: open(path, "w").writelines(f"{r['key']} {r['label']}\n" for r in rows)
    back(f"{name} Kaldi of lhotse", rows, files, with_gender=False, to=2)
    check(f"{name} Kaldi", [(k, emotions[k], speakers[k]) for k in emotions], [(f"{r['speaker']}-{r['key']}", r["label"], r["speaker"]) for r in rows])


run("prepare", "emodb", "--raw", work + "/raw")
compare("emodb")
packed("emodb", manifest("emodb"))
cut_corpus(manifest("emodb"))
run("prepare", "cut", "--raw", work + "/raw/cut.csv")
os.remove(work + "/raw/cut.csv")
compare("cut")
shutil.rmtree(work)
