"""The centre and the scale of each eGeMAPS functional: crates/encoder/src/families/egemaps.tsv.

The 88 functionals come in semitones, hertz, decibels and shares; their spreads differ by a factor of 10,000, and a probe
sees nothing of the small ones beside the large ones. They are therefore brought to about mean 0 and deviation 1 by
constants, the same for every corpus, so that a vector depends on its own utterance alone. The constants are the means and
standard deviations over the two corpora that the tests have, without their labels.

    pip install opensmile soundfile
    python parity/encoder/egemaps_scaling.py ../shared/corpora/emodb ../shared/corpora/urdu > crates/encoder/src/families/egemaps.tsv
"""

import sys
import warnings
from pathlib import Path

import numpy as np
import opensmile
import soundfile

warnings.simplefilter("ignore")
smile = opensmile.Smile(
    feature_set=opensmile.FeatureSet.eGeMAPSv02,
    feature_level=opensmile.FeatureLevel.Functionals,
    sampling_rate=16000,
    resample=True,
)
rows = []
for folder in sys.argv[1:]:
    for path in sorted(Path(folder).rglob("*.wav")):
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        rows.append(smile.process_signal(samples[:, 0], rate).to_numpy()[0])
table = np.array(rows, dtype=np.float64)
table = table[np.isfinite(table).all(axis=1)]
print(f"# opensmile {opensmile.__version__}, eGeMAPSv02, {len(table)} utterances", file=sys.stderr)
for name, mean, deviation in zip(smile.feature_names, table.mean(0), table.std(0)):
    print(f"{name}\t{mean:.6g}\t{deviation:.6g}")
