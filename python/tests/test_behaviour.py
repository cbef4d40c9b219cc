"""Exceptions, Ctrl-C, threads, memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import emobox


def test_errors_are_proper_exceptions(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        emobox.prepare("emodb", tmp_path / "nowhere", home=tmp_path)
    with pytest.raises(emobox.CorpusError, match="no audio file below"):
        emobox.prepare("emodb", tmp_path / "empty", home=tmp_path)
    with pytest.raises(ValueError, match="cannot be the name"):
        emobox.prepare("../x", tmp_path, home=tmp_path)
    with pytest.raises(FileNotFoundError, match="nothing.wav"):
        emobox.load_audio(tmp_path / "nothing.wav")
    with pytest.raises(emobox.AudioError, match="broken.wav"):
        emobox.load_audio(tmp_path / "broken.wav")
    with pytest.raises(FileNotFoundError, match="store.json"):
        emobox.FeatureStore(tmp_path)
    with pytest.raises(FileNotFoundError):
        emobox.Probe.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        emobox.bench(tmp_path / "no.toml")
    with pytest.raises(emobox.EncoderError, match="pull"):
        emobox.Encoder("wavlm-large")
    for error in (emobox.CorpusError, emobox.EncoderError, emobox.AudioError):
        assert issubclass(error, emobox.EmoboxError) and issubclass(error, ValueError)


def test_what_a_callback_raises_stops_the_work(demo: emobox.Manifest, tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    def refuse(progress: emobox.Progress) -> None:
        raise Enough

    with pytest.raises(Enough):
        emobox.extract(demo, emobox.Encoder("fbank"), tmp_path / "features", progress=refuse)


@pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")
def test_ctrl_c_stops_a_long_call(tmp_path: Path) -> None:
    # Hours of epochs; the signal comes when the training says that it has begun.
    code = """
        import os, signal, sys
        import numpy as np, emobox
        # A background job of a shell inherits an ignored signal.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        draw = np.random.default_rng(0)
        arrays = [draw.normal(size=(200, 64)).astype(np.float32) for _ in range(64)]
        def ready(progress):
            print(progress.kind, flush=True)
        try:
            emobox.Probe.fit(arrays, ["a", "b"] * 32, epochs=1_000_000, progress=ready)
        except KeyboardInterrupt:
            sys.exit(42)
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None and child.stdout.readline() == "begin\n"
    child.send_signal(signal.SIGINT)
    begun = time.monotonic()
    try:
        assert child.wait(timeout=20) == 42
    finally:
        child.kill()
        child.stdout.close()
    assert time.monotonic() - begun < 10


def test_the_interpreter_is_free_while_an_encoder_works() -> None:
    encoder = emobox.Encoder("fbank")
    audio = np.random.default_rng(0).normal(scale=0.1, size=16_000 * 600).astype(np.float32)
    done = threading.Event()
    thread = threading.Thread(target=lambda: (encoder(audio), done.set()))
    beats = 0
    thread.start()
    while not done.is_set():
        beats += 1
        time.sleep(0.001)
    thread.join()
    assert beats > 20, beats


def test_two_threads_use_two_cores(whisper: Path) -> None:
    if (os.cpu_count() or 1) < 2:
        pytest.skip("one core")
    encoder = emobox.Encoder("whisper-tiny.en", whisper)
    audio = np.random.default_rng(0).normal(scale=0.1, size=16_000 * 10).astype(np.float32)
    encoder(audio)

    def work() -> None:
        for _ in range(2):
            encoder(audio, layers="last")

    def measured(threads: int) -> tuple[float, float]:
        """Wall-clock and processor seconds."""
        wall, busy = time.perf_counter(), time.process_time()
        running = [threading.Thread(target=work) for _ in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        return time.perf_counter() - wall, time.process_time() - busy

    # Seconds of processor a second of the clock: one if a thread waited for the interpreter while the other encodes. How
    # much faster two threads are depends on the machine's other guests, and is measured by parity/python/threads.py.
    overlaps = []
    for _ in range(5):
        wall, busy = measured(2)
        overlaps.append(busy / wall)
        if overlaps[-1] > 1.3:
            return
    if os.getloadavg()[0] > 1.5:
        pytest.skip(f"the machine is busy (load {os.getloadavg()[0]:.1f}): {max(overlaps):.2f} cores at best")
    pytest.fail(f"two threads never used more than {max(overlaps):.2f} cores")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="resident memory is read from /proc")
def test_a_large_store_is_not_read_into_memory(tmp_path: Path) -> None:
    code = """
        import sys
        import numpy as np, emobox
        def resident():
            return int(open("/proc/self/statm").read().split()[1]) * 4096
        store = emobox.FeatureStore(sys.argv[1])
        arrays = [store[key] for key in store]
        total = sum(a.nbytes for a in arrays)
        before = resident()
        views = [store[key] for key in store]
        grown = resident() - before
        print(total, grown, flush=True)
    """
    audio = tmp_path / "raw"
    _noise(audio, files=24, seconds=60)
    manifest = emobox.prepare("noise", audio, home=tmp_path / "home")
    store = emobox.extract(manifest, emobox.Encoder("fbank"), tmp_path / "features", precision="f32")
    assert len(store) == 24
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "features")],
        check=True,
        capture_output=True,
        text=True,
    )
    total, grown = map(int, out.stdout.split())
    assert total > 10 << 20 and grown < total / 20, (total, grown)


def _noise(folder: Path, files: int, seconds: int) -> None:
    import wave

    draw = np.random.default_rng(0)
    for number in range(files):
        path = folder / ("angry" if number % 2 else "sad") / f"{number:03}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        with wave.open(str(path), "wb") as out:
            out.setnchannels(1)
            out.setsampwidth(2)
            out.setframerate(16_000)
            out.writeframes(draw.integers(-3000, 3000, 16_000 * seconds, dtype=np.int16).tobytes())
