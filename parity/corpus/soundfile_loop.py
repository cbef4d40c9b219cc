"""Reads the header of every wav below a folder, one after another, as the published preparation scripts do.

Usage: soundfile_loop.py FOLDER. Prints the number of files and the seconds for the loop (imports not counted), by the clock and of the processor.
The counterpart of crates/corpus/benches/manifest.rs, which calls it on the tree that it times itself on.
"""

import os
import sys
import time

import soundfile


def main(folder):
    started, processor = time.perf_counter(), time.process_time()
    rows = []
    for parent, _, names in os.walk(folder):
        for name in names:
            info = soundfile.info(os.path.join(parent, name))
            rows.append((name, info.samplerate, info.frames, info.channels))
    seconds, processor = time.perf_counter() - started, time.process_time() - processor
    print(f"{len(rows)} files {seconds:.3f} s, {processor:.3f} s of processor, soundfile {soundfile.__version__} python {sys.version.split()[0]}")


if __name__ == "__main__":
    main(sys.argv[1])
