"""What libsndfile and ffmpeg read in ../shared/audio-odd, for crates/audio/tests/formats.rs.

    /opt/parity/bin/python parity/audio/odd.py

Stored are lengths, sums and 64 samples a channel as 16-bit integers; the recordings stay where they are.
"""

import subprocess

import numpy as np
import soundfile
from common import SHARED, positions, write_golden


def main():
    files = []
    for path in sorted((SHARED / "audio-odd").iterdir()):
        samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
        other = subprocess.run(
            ["ffmpeg", "-v", "error", "-i", path, "-f", "s16le", "-"], capture_output=True, check=True
        ).stdout
        assert np.array_equal(samples.ravel(), np.frombuffer(other, "<i2")), path
        at = positions(len(samples))
        channels = [
            {"sum": int(channel.astype(np.int64).sum()), "samples": channel[at].tolist()}
            for channel in samples.T
        ]
        files.append({"file": path.name, "rate": rate, "frames": len(samples), "channels": channels})
    write_golden("odd.json", "odd.py", {"files": files}, libsndfile=soundfile.__libsndfile_version__)


main()
