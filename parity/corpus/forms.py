#!/usr/bin/env python3
"""One small corpus as the packages write it that people pass corpora on with; the goldens of crates/corpus/tests/forms.rs.

    pip install datasets==3.6.0 audformat==1.4.3 webdataset==1.0.2 soundfile==0.14.0 pandas==2.3.3 pyarrow==26.0.1 numpy
    python3 parity/corpus/forms.py crates/corpus/tests/forms

Twelve clips of tones of 0.05 s: two takes of three emotions by two speakers. Speaker 03 is a man and the training part, speaker 08
a woman and the test part.
"""
import io, os, shutil, sys

import audformat, datasets, numpy, pyarrow, pyarrow.parquet, soundfile, webdataset

out = sys.argv[1]
shutil.rmtree(out, ignore_errors=True)
EMOTIONS = ["anger", "neutral", "sad"]
PARTS = {"03": "train", "08": "test"}
GENDERS = {"03": "male", "08": "female"}


def clips():
    for speaker in PARTS:
        for number, emotion in enumerate(EMOTIONS):
            for take in range(2):
                pitch = 200 + 100 * number + 10 * take + int(speaker)
                samples = (8000 * numpy.sin(numpy.arange(800) * 2 * numpy.pi * pitch / 16000)).astype("int16")
                file = io.BytesIO()
                soundfile.write(file, samples, 16000, format="WAV", subtype="PCM_16")
                yield f"{speaker}_{emotion}_{take}", speaker, emotion, file.getvalue()


def wav(folder):
    os.makedirs(f"{folder}/wav")
    for name, _, _, content in clips():
        open(f"{folder}/wav/{name}.wav", "wb").write(content)


def parquet(part, inside):
    rows = [c for c in clips() if part in (None, PARTS[c[1]])]
    features = {"audio": datasets.Audio(), "emotion": datasets.ClassLabel(names=EMOTIONS), "speaker_id": datasets.Value("string"), "gender": datasets.Value("string")}
    columns = {
        "audio": [{"path": name + ".wav", "bytes": content} if inside else {"path": f"wav/{name}.wav", "bytes": None} for name, _, _, content in rows],
        "emotion": [EMOTIONS.index(emotion) for _, _, emotion, _ in rows],
        "speaker_id": [speaker for _, speaker, _, _ in rows],
        "gender": [GENDERS[speaker] for _, speaker, _, _ in rows],
    }
    return datasets.Dataset.from_dict(columns, features=datasets.Features(features))


os.makedirs(out + "/parquet-inside/data")
for part in ("train", "test"):
    parquet(part, True).to_parquet(f"{out}/parquet-inside/data/{part}-00000-of-00001.parquet")
wav(out + "/parquet-paths")
parquet(None, False).to_parquet(out + "/parquet-paths/all.parquet")


def database():
    base = audformat.Database("small", source="tones")
    base.schemes["emotion"] = audformat.Scheme(labels={e[:1]: {"emotion": e} for e in EMOTIONS})
    base.schemes["speaker"] = audformat.Scheme(labels={s: {"gender": g} for s, g in GENDERS.items()})
    for part in ("train", "test"):
        base.splits[part] = audformat.Split(type=part)
        rows = [c for c in clips() if PARTS[c[1]] == part]
        # The first take whole, the second in a segment.
        index = audformat.segmented_index([f"wav/{c[0]}.wav" for c in rows], [0 if c[0][-1] == "0" else 0.01 for c in rows], [None if c[0][-1] == "0" else 0.04 for c in rows])
        base[f"emotion.{part}"] = audformat.Table(index, split_id=part)
        base[f"emotion.{part}"]["emotion"] = audformat.Column(scheme_id="emotion")
        base[f"emotion.{part}"]["emotion"].set([c[2][:1] for c in rows])
    base["files"] = audformat.Table(audformat.filewise_index([f"wav/{c[0]}.wav" for c in clips()]))
    base["files"]["speaker"] = audformat.Column(scheme_id="speaker")
    base["files"]["speaker"].set([c[1] for c in clips()])
    return base


for form in ("csv", "parquet"):
    wav(f"{out}/audformat-{form}")
    database().save(f"{out}/audformat-{form}", storage_format=form)

os.makedirs(out + "/webdataset")
os.makedirs(out + "/webdataset-cls")
for part in ("train", "test"):
    with webdataset.TarWriter(f"{out}/webdataset/{part}-000000.tar", mtime=0) as shard:
        for name, speaker, emotion, content in clips():
            if PARTS[speaker] == part:
                shard.write({"__key__": name, "wav": content, "json": {"emotion": emotion, "speaker": speaker, "gender": GENDERS[speaker]}})
with webdataset.TarWriter(out + "/webdataset-cls/all.tar.gz", mtime=0) as shard:
    for name, _, emotion, content in clips():
        shard.write({"__key__": name, "wav": content, "cls": EMOTIONS.index(emotion)})

# A compression that is not read.
os.makedirs(out + "/parquet-zstd")
table = pyarrow.table({"path": ["wav/03_anger_0.wav"], "label": ["anger"], "speaker": ["03"]})
pyarrow.parquet.write_table(table, out + "/parquet-zstd/all.parquet", compression="zstd")
