"""The steps of tools/gpu/check.sh. Python's own library alone."""

import array
import json
import math
import os
import pathlib
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import wave

HOST = "--host" in sys.argv[1:]
PLACE = pathlib.Path(os.environ.get("EMOBOX_DEVICE_PROGRAMS", "target/device")).resolve()
OUT = pathlib.Path(os.environ.get("OUT") or PLACE)
# One command on the lent machine ends after ten minutes; the table has to be out before.
END = time.monotonic() + float(os.environ.get("CHECK_SECONDS", 570))
# Dense bf16 products of one H100, measured on one (TFLOP/s).
PEAK = 798.0
# The one that may have PyTorch.
PYTHON = os.environ.get("CHECK_PYTHON") or shutil.which("python3")
# Kernels of small shapes: each operation runs many times slower there.
SANITIZED = ["plain::", "conformers::", "probe::a_gradient", "--skip", "memory_that_is_not_there"]

if HOST:
    DEVICE = "host"
    FULL = ["wav2vec2-small"]
    SPEED = {"device": "host:24", "seconds": "1", "rounds": "1", "precision": "f32"}
    PIPELINE = {"device": "host:24", "precision": "f32", "count": 40, "longest": 2.0, "encoders": FULL}
    PROBES = {"dims": "24", "count": 40, "longest": 1.0}
    KERNELS, GOLDENS = ["plain::", "conformers::"], ["gpu::what_cannot", "device_memory::"]
    CPU_GOLDENS = ["batch::"]
else:
    DEVICE = "cuda:0"
    FULL = ["wav2vec2-base", "wavlm-large", "data2vec-large", "whisper-large-v3"]
    SPEED = {"device": "cuda", "seconds": "4", "rounds": "3", "precision": "bf16"}
    PIPELINE = {"device": "cuda", "precision": "bf16", "count": 2000, "longest": 30.0, "encoders": FULL}
    PROBES = {"dims": "768,1024,1280", "count": 2000, "longest": 30.0}
    # Planted faults and limits of memory are the host's.
    KERNELS, GOLDENS = ["--skip", "faults::", "--skip", "memory_that_is_not_there"], ["gpu::", "towers_golden::the_device"]
    CPU_GOLDENS = ["speech_golden::", "data2vec2_golden::", "whisper_golden::"]

rows, results = [], []


class Skipped(Exception):
    """A step that this machine cannot do."""


def run(arguments, limit=300, **environment):
    """Runs a carried program in the root of the tree; what it printed."""
    left = END - time.monotonic()
    if left < 5:
        raise Skipped("no time left")
    # A carried program by its name, another by its path.
    program = [str(PLACE / arguments[0]) if "/" not in arguments[0] else arguments[0], *arguments[1:]]
    done = subprocess.run(
        program, env={**os.environ, **environment}, capture_output=True, text=True, timeout=min(limit, left)
    )
    if done.returncode not in (0, 3):
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
        raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}:\n{last}")
    return done.stdout + ("" if "--json" in arguments else done.stderr)


def as_json(arguments, **how):
    return json.loads(run([*arguments, "--json"], **how))


def tests(program, filters, limit=200, **environment):
    """Runs tests of a carried program; how many there were."""
    text = run([program, *filters, "--test-threads", "4"], limit, **environment)
    passed = int(re.search(r"test result: ok\. (\d+) passed", text).group(1))
    if passed == 0:
        raise RuntimeError(f"{program} {filters}: no test of this name")
    return passed


def step(name):
    def decorate(work):
        begun = time.monotonic()
        print(f"== {name}", flush=True)
        try:
            found, state = work(), "ok"
        except Skipped as reason:
            found, state = [(str(reason), "")], "skipped"
        except subprocess.TimeoutExpired as error:
            found, state = [(f"{pathlib.Path(error.cmd[0]).name} took longer than {error.timeout:.0f} s", "")], "FAILED"
        except Exception as error:  # The other steps still say something.
            print(error, flush=True)
            found, state = [(str(error).splitlines()[0], "")], "FAILED"
        seconds = time.monotonic() - begun
        results.append({"step": name, "state": state, "seconds": round(seconds, 1), "found": found})
        for at, (what, value) in enumerate(found):
            rows.append((name if at == 0 else "", what, value, state if at == 0 else "", f"{seconds:.0f}" if at == 0 else ""))
        return work

    return decorate


work = pathlib.Path(tempfile.mkdtemp(prefix="emobox-check-"))
home = work / "home"


@step("1 machine")
def machine():
    found = as_json(["emobox", "doctor"])
    if not HOST and not found["cuda"]:
        raise RuntimeError(f"--device cuda cannot be used here: {json.dumps(found)}")
    cards = [("card", json.dumps(card)) for card in found["cards"]]
    processor = f"{found['threads']} threads, {found['kernels']}"
    return [("processor", processor), ("driver", found["driver"]["line"]), ("cuBLASLt", found["cublaslt"]["line"][:120]), *cards]


@step("2 kernels")
def kernels():
    environment = {} if HOST else {"EMOBOX_TEST_CARD": "0"}
    return [("tests passed", tests("gpu-tests", KERNELS, **environment))]


@step("2 kernels under compute-sanitizer")
def sanitizer():
    tool = shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"
    if HOST or not pathlib.Path(tool).exists():
        raise Skipped("on a card with compute-sanitizer")
    found = []
    for check in ["memcheck", "racecheck"]:
        arguments = [tool, "--tool", check, "--error-exitcode", "9", str(PLACE / "gpu-tests"), *SANITIZED, "--test-threads", "1"]
        try:
            said = run(arguments, 45, EMOBOX_TEST_CARD="0")
            passed = int(re.search(r"test result: ok\. (\d+) passed", said).group(1))
            found.append((check, f"{passed} tests, no error"))
        except subprocess.TimeoutExpired:
            found.append((check, "not done after 45 s"))
    return found


@step("3 goldens")
def goldens():
    return [("tests passed (f32, bf16, f16)", tests("encoder-tests", GOLDENS, EMOBOX_TEST_DEVICE=DEVICE))]


@step("4 full size: weights")
def weights():
    # The pipeline and the table of speeds want all; written on several cores.
    makers = []
    for name in FULL:
        environment = {**os.environ, "EMOBOX_FULL_SIZE": str(work), "EMOBOX_NAMES": name}
        command = [str(PLACE / "encoder-tests"), "--ignored", "--exact", "full_size::write_full_size"]
        makers.append((name, subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)))
    found = []
    for name, maker in makers:
        _, said = maker.communicate(timeout=120)
        if maker.returncode != 0:
            raise RuntimeError(said.decode()[-500:])
        size = sum(file.stat().st_size for file in (work / name).iterdir())
        found.append((name, f"{size / 1e6:.0f} MB"))
    return found


def lengths(count, longest):
    """Samples at 16 kHz of ragged utterances about 4 s."""
    chance = random.Random(0)
    return [int(16_000 * min(longest, max(0.4, chance.lognormvariate(1.3, 0.6)))) for _ in range(count)]


torch = {}


@step("4 full size: PyTorch")
def peer():
    (work / "lengths.txt").write_text("\n".join(map(str, lengths(PIPELINE["count"], PIPELINE["longest"]))) + "\n")
    if subprocess.run([PYTHON, "-c", "import torch, transformers, safetensors"], capture_output=True).returncode != 0:
        raise Skipped("PyTorch and transformers are not here: no comparison")
    arguments = [PYTHON, "tools/gpu/torch_peer.py", str(work), ",".join(FULL), str(work / "lengths.txt"), *(["cpu"] if HOST else [])]
    for line in run(arguments, 200).splitlines():
        if line.startswith("{"):
            line = json.loads(line)
            torch[line["encoder"]] = line
    return [
        (name, f"bf16 error {line['bf16']:.2e}; torch {line['torch']}, transformers {line['transformers']}, {line['attention']}, batch {line['batch']}")
        for name, line in torch.items()
    ]


@step("4 full size: errors")
def errors():
    arguments = ["encoder-tests", "--ignored", "--exact", "full_size::errors_of_full_size", "--nocapture"]
    environment = {"EMOBOX_FULL_SIZE": str(work), "EMOBOX_NAMES": ",".join(FULL), "EMOBOX_TEST_DEVICE": DEVICE}
    lines = [json.loads(line) for line in run(arguments, 240, **environment).splitlines() if line.startswith("{")]
    # The mean error of the last hidden state over its mean size.
    return [
        (
            f"{line['encoder']} {line['precision']}",
            f"{line['mean']:.2e} (bf16 on the CPU {line['cpu_bf16_mean']:.2e}, of PyTorch {line['torch_bf16_mean'] or math.nan:.2e})",
        )
        for line in lines
    ]


@step("5 speed")
def speed():
    found = []
    for name in FULL:
        arguments = ["emobox", "encoders", "bench", f"{name}={work / name}", "--home", str(home)]
        for option, value in SPEED.items():
            arguments += [f"--{option}", value]
        one = as_json(arguments, limit=90)
        teraflops = one["gflops"] / 1000
        share = "" if HOST else f", {teraflops / PEAK * 100:.0f} % of {PEAK:.0f}"
        found.append((f"{name} {one['precision']}", f"{1 / one['real_time_factor']:.0f} x real time, {teraflops:.3g} TFLOP/s{share}"))
    return found


@step("5 speed beside PyTorch")
def beside():
    arguments = ["encoder-tests", "--ignored", "--exact", "full_size::speed_of_ragged", "--nocapture"]
    environment = {
        "EMOBOX_FULL_SIZE": str(work), "EMOBOX_NAMES": ",".join(FULL), "EMOBOX_TEST_DEVICE": DEVICE,
        "EMOBOX_LENGTHS": str(work / "lengths.txt"), "EMOBOX_PRECISION": SPEED["precision"],
    }
    found = []
    for line in run(arguments, 150, **environment).splitlines():
        if not line.startswith("{"):
            continue
        line = json.loads(line)
        ours = statistics.median(line["rounds"])
        said = f"{line['utterances']} utterances, {line['audio_seconds'] / ours:.0f} x real time"
        if line["encoder"] in torch:
            other = torch[line["encoder"]]
            # Both encode the same lengths; the seconds of audio say so.
            assert abs(other["audio_seconds"] - line["audio_seconds"]) < 1e-3 * line["audio_seconds"], (other, line)
            theirs = statistics.median(other["rounds"])
            said += f", PyTorch {other['audio_seconds'] / theirs:.0f} x: {theirs / ours:.2f} times as fast"
        found.append((line["encoder"], said))
    return found


def corpus(folder, count, longest):
    """Noise of ragged lengths, half of it at 44.1 kHz, in folders of two classes."""
    chance = random.Random(0)
    seconds = 0.0
    for at, samples in enumerate(lengths(count, longest)):
        rate = (16_000, 44_100)[at % 2]
        length = samples / 16_000
        seconds += length
        noise = array.array("h", chance.randbytes(2 * int(length * rate)))
        place = folder / ("one", "two")[at % 2]
        place.mkdir(parents=True, exist_ok=True)
        with wave.open(str(place / f"{at:05}.wav"), "wb") as file:
            file.setparams((1, 2, rate, 0, "NONE", ""))
            file.writeframes(noise.tobytes())
    return seconds


@step("6 pipeline")
def pipeline():
    seconds = corpus(work / "noise", PIPELINE["count"], PIPELINE["longest"])
    arguments = ["emobox", "extract", "--corpus", f"noise={work / 'noise'}", "--home", str(home)]
    for name in PIPELINE["encoders"]:
        arguments += ["--encoder", f"{name}={work / name}"]
    arguments += ["--device", PIPELINE["device"], "--precision", PIPELINE["precision"]]
    found = [("corpus", f"{PIPELINE['count']} utterances, {seconds / 3600:.2f} h")]
    for done in as_json(arguments, limit=240):
        if done["encoded"] != PIPELINE["count"]:
            raise RuntimeError(f"{done['encoder']}: {done['encoded']} encoded, {done['failed'][:2]} {done['unreadable'][:2]}")
        device = done["devices"][0]
        share = device["busy_seconds"] / device["seconds"] * 100
        found.append(
            (
                done["encoder"],
                f"{done['encoded'] / device['seconds']:.0f} utterances/s, device busy {share:.0f} % of {device['seconds']:.1f} s, "
                f"{device['batches']} batches, {device['halved']} halved, {done.get('from_memory', 0)} decoded before",
            )
        )
    return found


@step("6 probes")
def probes():
    # Frames at 50 a second.
    frames = [max(1, samples // 320) for samples in lengths(PROBES["count"], PROBES["longest"])]
    (work / "frames.txt").write_text("\n".join(map(str, frames)) + "\n")
    environment = {"EMOBOX_PROBE_LENGTHS": str(work / "frames.txt"), "EMOBOX_PROBE_DIMS": PROBES["dims"]}
    if not HOST:
        environment["EMOBOX_TEST_CARD"] = "0"
    arguments = ["probe-tests", "--ignored", "--exact", "card_speed::an_epoch_of_the_paper_s_head", "--nocapture"]
    ours = [json.loads(line) for line in run(arguments, 120, **environment).splitlines() if line.startswith("{")]
    theirs = {}
    if subprocess.run([PYTHON, "-c", "import torch"], capture_output=True).returncode == 0:
        arguments = [PYTHON, "tools/gpu/torch_probe.py", str(work / "frames.txt"), PROBES["dims"], *(["cpu"] if HOST else [])]
        # Warnings stand between them.
        lines = [json.loads(line) for line in run(arguments, 120).splitlines() if line.startswith("{")]
        theirs = {line["dim"]: line for line in lines}
    found = [("utterances", f"{len(frames)}, {sum(frames)} frames; three of five trained on")]
    for line in ours:
        epoch = statistics.median(line["seconds"])
        said = f"{epoch * 1000:.1f} ms an epoch, {sum(frames) / epoch / 1e6:.2f} M frames/s; losses of {line['steps']} steps within {line['apart']:.1e} of the CPU's"
        if line["dim"] in theirs:
            other = statistics.median(theirs[line["dim"]]["seconds"])
            said += f"; PyTorch {other * 1000:.1f} ms: {other / epoch:.2f} times as fast"
        else:
            said += "; PyTorch is not here: no comparison"
        found.append((f"{line['dim']} dimensions", said))
    return found


@step("7 paper")
def paper():
    # Every encoder that was measured in the steps before tells what the others take.
    plan = as_json(
        ["emobox", "bench", "docs/paper.toml", "--plan", "--device", PIPELINE["device"], "--precision", PIPELINE["precision"],
         "--out", str(work / "out"), "--home", str(home)]
    )
    known = [s for s in plan["speeds"] if s["source"] != "unknown"]
    hours = sum(s["core_hours"] for s in known)
    return [(f"{len(known)} of {len(plan['speeds'])} encoders, card hours", f"{hours:.2f}")]


@step("8 cores")
def cores():
    found = []
    name = FULL[0]
    for path in ["portable", "avx2", "avx512", "avx512bf16", "neon"]:
        # Elsewhere the kernels would quietly take another path.
        if as_json(["emobox", "doctor"], EMOBOX_KERNELS=path)["kernels"] != path:
            found.append((path, "not on this processor"))
            continue
        passed = tests("encoder-tests", CPU_GOLDENS, EMOBOX_KERNELS=path)
        line = f"{passed} goldens"
        for precision in ["f32", "bf16"]:
            if path == "portable":
                continue
            arguments = ["emobox", "encoders", "bench", f"{name}={work / name}", "--precision", precision]
            # A home of its own: these are no speeds to plan with.
            arguments += ["--seconds", "4" if not HOST else "1", "--rounds", "1", "--home", str(work / "paths")]
            one = as_json(arguments, limit=60, EMOBOX_KERNELS=path)
            line += f"; {precision} {one['gflops']:.0f} GFLOP/s on {one['threads']} threads"
            if one["peak_gflops"]:
                line += f" ({one['gflops'] / one['peak_gflops'] * 100:.0f} % of the peak)"
        found.append((path, line))
    return found


shutil.rmtree(work, ignore_errors=True)
failed = [result["step"] for result in results if result["state"] == "FAILED"]
OUT.mkdir(parents=True, exist_ok=True)
(OUT / "check.json").write_text(json.dumps({"host": HOST, "failed": failed, "steps": results}, indent=1, default=str) + "\n")
widths = [max(len(str(row[column])) for row in rows) for column in (0, 3, 4)]
print()
for name, what, value, state, seconds in rows:
    print(f"{name:{widths[0]}}  {state:{widths[1]}}  {seconds:>{widths[2]}} s  {what}: {value}" if name else f"{'':{sum(widths) + 6}}  {what}: {value}")
print(f"\n{len(results) - len(failed)} of {len(results)} steps without failure" + (f"; FAILED: {', '.join(failed)}" if failed else ""))
sys.exit(1 if failed else 0)
