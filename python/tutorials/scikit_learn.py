"""Train a scikit-learn model on emobox features and score it: no PyTorch, no download.

    python python/tutorials/scikit_learn.py            the synthetic demo corpus, the encoder `fbank`
    python python/tutorials/scikit_learn.py emodb /data/emodb wavlm-base

Everything it makes lies in ./emobox-tutorial; run it again and nothing is computed twice.
"""

import sys

import emobox
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

home = "emobox-tutorial"
if len(sys.argv) == 4:
    name, raw, encoder_name = sys.argv[1:]
else:
    name, raw, encoder_name = "demo", emobox.demo_corpus(f"{home}/recordings"), "fbank"

# 1. The raw release becomes a manifest; what is missing or broken is in its report.
manifest = emobox.prepare(name, raw, home=home)
print(manifest)

# 2. Folds without a speaker on both sides, and the proof.
folds = emobox.partition(manifest, "speaker")
print(folds)
print(emobox.audit(manifest, folds).verdict)

# 3. Hidden states on disk; the mean over frames of the last layer is one vector an utterance.
store = emobox.extract(manifest, emobox.Encoder(encoder_name), f"{home}/features/{name}/{encoder_name}")

# 4. A model of one's own on every fold.
predictions = []
for fold in range(1, folds.folds + 1):
    train, test = (folds.select(manifest, fold, role) for role in ("train", "test"))
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(store.mean([u.key for u in train]), [u.label for u in train])
    predicted = model.predict(store.mean([u.key for u in test]))
    predictions += [
        emobox.Prediction(u.key, u.label, str(label), fold=fold) for u, label in zip(test, predicted)
    ]

# 5. Its scores, with intervals over speakers.
print(emobox.evaluate(predictions, manifest))

# 6. The benchmark's own probe on the same folds, and whether the difference can be believed.
probed = []
for fold in range(1, folds.folds + 1):
    train, test = (folds.select(manifest, fold, role) for role in ("train", "test"))
    probe = emobox.Probe.fit(
        store, {u.key: u.label for u in train}, speakers={u.key: u.speaker for u in train}, epochs=30
    )
    labels = probe.predict(store, [u.key for u in test])
    probed += [emobox.Prediction(u.key, u.label, label, fold=fold, speaker=u.speaker) for u, label in zip(test, labels)]
print(emobox.compare(probed, predictions, names=("probe", "logistic regression"), corpus=name))
