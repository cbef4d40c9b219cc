"""Reads an event file of ours back with the real `tensorboard` package.

    cargo test -p emobox-probe --lib logs      # writes target/tmp/tensorboard/events.out.tfevents.1
    /opt/parity/bin/python parity/probe/tensorboard_events.py FOLDER

prints every scalar and fails if there are none, or if a checksum is wrong.
"""

import pathlib
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import PyRecordReader_New


def main():
    folder = pathlib.Path(sys.argv[1])
    files = sorted(folder.rglob("*tfevents*"))
    for file in files:
        reader = PyRecordReader_New(str(file))
        records = 0
        while True:
            try:
                reader.GetNext()  # checks both checksums of a record
            except Exception as error:
                if "OutOfRange" not in type(error).__name__:
                    raise
                break
            records += 1
        accumulator = EventAccumulator(str(file)).Reload()
        tags = accumulator.Tags()["scalars"]
        assert tags and records > 1, f"{file}: {records} records, scalars {tags}"
        print(f"{file}: {records} records")
        for tag in tags:
            print(f"  {tag}: " + " ".join(f"{s.step}:{s.value:.4f}" for s in accumulator.Scalars(tag)))
    assert files, f"no event files below {folder}"


if __name__ == "__main__":
    main()
