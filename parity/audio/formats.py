"""Small files of every compressed format, and what ffmpeg decodes from them, for crates/audio/tests/formats.rs.

    /opt/parity/bin/python parity/audio/formats.py

The signal is ours: 0.19 s of two sweeps under noise, in stereo at 22,050 Hz. Stored of each decoded
channel are its length, its sum and 64 samples.
"""

import subprocess
import tempfile

import numpy as np
import soundfile
from common import GOLDEN, noise, positions, write_golden

RATE = 22050
LENGTH = 4201
# Name, arguments of the encoder, and whether the container says where the signal ends. ffmpeg 5.1 plays the
# encoder's padding at the end of an MP4 or of an OGG of one page, although both exclude it.
FORMATS = [
    ("flac.flac", ["-c:a", "flac", "-sample_fmt", "s16"], None),
    ("flac24.flac", ["-c:a", "flac", "-sample_fmt", "s32"], None),
    ("mp3-xing.mp3", ["-c:a", "libmp3lame", "-b:a", "32k"], None),
    ("mp3-bare.mp3", ["-c:a", "libmp3lame", "-q:a", "5", "-write_xing", "0", "-id3v2_version", "0"], None),
    ("mp2.mp2", ["-c:a", "mp2", "-b:a", "64k"], None),
    ("vorbis.ogg", ["-c:a", "libvorbis", "-q:a", "0"], LENGTH),
    ("aac.m4a", ["-c:a", "aac", "-b:a", "32k"], LENGTH),
    ("aac-index-first.mp4", ["-c:a", "aac", "-b:a", "32k", "-movflags", "faststart"], LENGTH),
    ("alac.m4a", ["-c:a", "alac"], None),
    ("aac.aac", ["-c:a", "aac", "-b:a", "32k"], None),
    ("adpcm-ms.wav", ["-c:a", "adpcm_ms"], None),
    ("adpcm-ima.wav", ["-c:a", "adpcm_ima_wav"], None),
    ("pcm.caf", ["-c:a", "pcm_s16be"], None),
    ("opus.webm", ["-c:a", "libopus", "-b:a", "24k"], None),
    ("opus.ogg", ["-c:a", "libopus", "-b:a", "24k"], None),
    ("mp3.avi", ["-c:a", "libmp3lame", "-b:a", "32k"], None),
    ("ulaw.au", ["-c:a", "pcm_mulaw"], None),
]


def signal():
    time = np.arange(LENGTH) / RATE
    sweeps = [np.sin(2 * np.pi * (start * time + slope * time**2)) for start, slope in [(200, 900), (1500, -700)]]
    white = noise(7, 2 * LENGTH).reshape(2, LENGTH) / 32768
    return np.round(32767 * (0.4 * np.stack(sweeps) + 0.02 * white)).astype(np.int16).T


def run(*arguments):
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", "-threads", "1", *arguments]
    return subprocess.run(command, capture_output=True, check=True).stdout


def main():
    version = run("-version").decode().split()[2]
    files = []
    with tempfile.TemporaryDirectory() as folder:
        source = f"{folder}/source.wav"
        soundfile.write(source, signal(), RATE, subtype="PCM_16")
        for name, arguments, frames in FORMATS:
            path = GOLDEN / name
            run("-i", source, *arguments, "-flags", "+bitexact", "-fflags", "+bitexact", "-map_metadata", "-1", path)
            assert path.stat().st_size < 50_000, name
            rate = 48000 if "opus" in name else RATE
            # ffmpeg's own choice for MPEG layer II rounds to 16 bits.
            decoder = ["-c:a", "mp2float"] if name == "mp2.mp2" else []
            decoded = np.frombuffer(run(*decoder, "-i", path, "-f", "f32le", "-"), "<f4").reshape(-1, 2)[:frames]
            at = positions(len(decoded))
            channels = [
                {"sum": float(channel.astype(np.float64).sum()), "samples": [float(x) for x in channel[at]]}
                for channel in decoded.T
            ]
            files.append({"file": name, "rate": rate, "frames": len(decoded), "channels": channels})
    write_golden("formats.json", "formats.py", {"files": files}, ffmpeg=version)


main()
