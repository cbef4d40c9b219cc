#!/usr/bin/env python3
"""Runs the program on every case of ../shared/cases and says which behave as its README asks; 1 where one does not.

    python3 tools/check_cases.py EMOBOX ../shared/cases      (numpy and soundfile write the audio cases)
"""
import json, os, subprocess, sys, tempfile

program, cases = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
work = tempfile.TemporaryDirectory()
out = work.name + "/cases"
subprocess.run([sys.executable, cases + "/make.py", out], check=True, stdout=subprocess.DEVNULL)
failed = []


def run(home, *call):
    done = subprocess.run([program, "--home", f"{work.name}/{home}", *call], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def corpus(case, *more):
    code, told, error = run(case, "prepare", "mine", "--raw", f"{out}/{case}", *more)
    path = f"{work.name}/{case}/corpora/mine/manifest.jsonl"
    rows = [json.loads(line) for line in open(path)] if os.path.exists(path) else []
    return code, told, error, rows


def sizes(rows):
    return len(rows), len({r["label"] for r in rows}), len({r.get("speaker") for r in rows} - {None})


def check(case, good, found):
    print(f"{'holds' if good else 'FAILS'}  {case:28} {found}")
    if not good:
        failed.append(case)


def refused(case, *parts):
    code, _, error, rows = corpus(case)
    check(case, code not in (0, 3) and not rows and all(part in error for part in parts), error.strip().splitlines()[-1][-150:])


def read(case, expected=(36, 3, 4), also=lambda told, rows: True, *more):
    code, told, error, rows = corpus(case, *more)
    check(case, code == 0 and sizes(rows) == expected and also(told, rows), f"{sizes(rows)} {error.strip()[:100]}")


read("base")
refused("unquoted_comma", "5 fields where the header has 4", "line 2")
refused("missing_field", "2 fields where the header has 3", "line 2")
read("split_dev", also=lambda told, rows: {r["split"] for r in rows} == {"train", "valid", "test"})
refused("split_partial", "27 say nothing, 9 say test")
read("start_end_time", also=lambda told, rows: all(abs(r["length"] - 0.5) < 1e-3 for r in rows))
read("speaker_id")
refused("case_labels", "ANGER", "label_map.json")
refused("speaker_zero", '"3"', '"03"')
refused("header_only")
read("absolute_inside")
read("start_no_end", also=lambda told, rows: all(r["start_time"] == 0.2 for r in rows))
read("semicolon")
read("utf16")
read("label_map_bom", also=lambda told, rows: {r["label"] for r in rows} == {"Angry", "Neutral", "Sad"})
code, told, error, rows = corpus("mixed_depth")
good = code == 0 and sizes(rows)[:2] == (36, 3) if rows else "new_batch" in error and code == 1
check("mixed_depth", good, sizes(rows) if rows else error.strip()[-150:])
read("speaker_then_emotion")
read("emotion_then_speaker")



def audio(name):
    """The file as a corpus of two, with what the program tells of it at preparation and at extraction."""
    folder = f"{work.name}/audio-{name}"
    for label, file in (("sad", name), ("anger", "reference")):
        os.makedirs(f"{folder}/{label}")
        os.link(f"{out}/audio/{file}.wav", f"{folder}/{label}/{label}.wav")
    code, told, error = run(name, "prepare", "mine", "--raw", folder)
    path = f"{work.name}/{name}/corpora/mine/manifest.jsonl"
    rows = [json.loads(line) for line in open(path)] if code == 0 else []
    code, more, notes = run(name, "extract", "--corpus", "mine", "--encoder", "fbank")
    features = {}
    for folder, _, files in os.walk(f"{work.name}/{name}/features"):
        for file in files:
            if file.endswith(".safetensors"):
                features[file] = open(os.path.join(folder, file), "rb").read()
    return code, {r["num_frame"] for r in rows}, told + error, more + notes, features


_, frames, _, _, reference = audio("reference")
for name in ("block_align_1", "data_size_44_too_large"):
    code, found, _, _, features = audio(name)
    check("audio/" + name, code == 0 and found == frames and features == reference, f"{found} samples, features the same: {features == reference}")
code, _, told, more, _ = audio("float_at_int16_scale")
lines = [line for line in more.splitlines() if "full scale" in line]
check("audio/float_at_int16_scale", code == 0 and lines, lines[:1])
code, _, told, more, _ = audio("stereo_left_silent")
lines = [line for line in told.splitlines() if "several channels" in line] + [line for line in more.splitlines() if "silent" in line]
check("audio/stereo_left_silent", code == 0 and len(lines) == 2, lines)
code, told, error, rows = corpus("silent_first_channel")
check("silent_first_channel", code == 0 and "channel" in told and "36" in told, [l for l in told.splitlines() if "channel" in l][:1])
code, told, error, rows = corpus("silent_first_channel", "--channel", "2")
check("silent_first_channel -- 2", code == 0 and {r["channel"] for r in rows} == {2}, sizes(rows))
sys.exit(1 if failed else 0)
