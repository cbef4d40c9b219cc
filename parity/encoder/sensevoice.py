"""Goldens of SenseVoice-small's encoder, by FunASR: hidden states, its config.yaml and am.mvn.

    /opt/parity/bin/python parity/encoder/sensevoice.py

Four learned rows come before the frames: the language (`auto`), event and emotion, and the way of writing (`woitn`), as FunASR's
`inference` puts them where nothing is asked for. The hidden states are those of the frames alone. The first block brings the frames
from 560 to 512 columns, so its output is the first hidden state; that of block 50 is after the norm that the second stage begins with.
Dither, which FunASR's front end adds unless told otherwise, is left out: it would make every run another.
"""

import common  # first: it lets torchaudio load

import pathlib
import sys
import types

import funasr_reference
import numpy as np
import torch
import yaml

ROOT = funasr_reference.ROOT
# As there: neither the package's own __init__ files nor what the decoder needs.
for name in ("funasr.models.sense_voice", "funasr.models.sense_voice.utils", "funasr.frontends", "funasr.metrics", "funasr.losses", "funasr.train_utils"):
    package = types.ModuleType(name)
    package.__path__ = [str(ROOT.joinpath(*name.split(".")[1:]))]
    sys.modules[name] = package
sys.modules["funasr.utils.load_utils"].extract_fbank = None
for name, members in {
    "funasr.metrics.compute_acc": ("compute_accuracy", "th_accuracy"),
    "funasr.losses.label_smoothing_loss": ("LabelSmoothingLoss",),
    "funasr.train_utils.device_funcs": ("force_gatherable",),
    "funasr.utils.datadir_writer": ("DatadirWriter",),
    "funasr.models.ctc": (),
    "funasr.models.ctc.ctc": ("CTC",),
    "funasr.models.paraformer": (),
    "funasr.models.paraformer.search": ("Hypothesis",),
    "funasr.models.sense_voice.utils.ctc_alignment": ("ctc_forced_align",),
    "funasr.frontends.eend_ola_feature": (),
}.items():
    sys.modules[name] = types.ModuleType(name)
    for member in members:
        setattr(sys.modules[name], member, None)

from funasr.frontends.wav_frontend import WavFrontend  # noqa: E402
from funasr.models.sense_voice.model import SenseVoiceEncoderSmall  # noqa: E402

FRONT = dict(fs=16_000, window="hamming", n_mels=80, frame_length=25, frame_shift=10, lfr_m=7, lfr_n=6)
ENCODER = dict(
    output_size=512,
    attention_heads=4,
    linear_units=2048,
    num_blocks=50,
    tp_blocks=20,
    dropout_rate=0.1,
    positional_dropout_rate=0.1,
    attention_dropout_rate=0.1,
    input_layer="pe",
    pos_enc_class="SinusoidalPositionEncoder",
    normalize_before=True,
    kernel_size=11,
    sanm_shfit=0,
    selfattention_layer_type="sanm",
)
VARIANTS = {
    "sensevoice": (dict(n_mels=10), dict(output_size=24, linear_units=32, num_blocks=3, tp_blocks=2)),
    "sensevoice-other": (dict(n_mels=12, lfr_m=5, lfr_n=3), dict(output_size=16, linear_units=24, num_blocks=2, tp_blocks=0, kernel_size=8, sanm_shfit=2)),
}
UTTERANCES = {"long": 30_000, "short": 4_321, "least": 400}
# Language, event, emotion, writing.
ROWS = [0, 1, 2, 15]


def cmvn(columns):
    """Shifts and factors as Kaldi writes a network of two layers."""
    mean = (-8.0 + common.uniform("cmvn mean", columns)).astype(np.float32)
    factor = (0.25 * (1.0 + 0.25 * common.uniform("cmvn factor", columns))).astype(np.float32)
    row = lambda values: " ".join(repr(float(value)) for value in values)
    layer = lambda name, values: f"<{name}> {columns} {columns}\n<LearnRateCoef> 0 [ {row(values)} ]\n"
    return f"<Nnet>\n<Splice> {columns} {columns}\n[ 0 ]\n{layer('AddShift', mean)}{layer('Rescale', factor)}</Nnet>\n"


class Model(torch.nn.Module):
    """What of SenseVoiceSmall the encoder needs."""

    def __init__(self, front, encoder):
        super().__init__()
        columns = front["n_mels"] * front["lfr_m"]
        self.encoder = SenseVoiceEncoderSmall(input_size=columns, **encoder)
        self.embed = torch.nn.Embedding(16, columns)


def states_of(model, front, path, wave):
    front = WavFrontend(cmvn_file=str(path), dither=0.0, **front)
    wave = torch.from_numpy(wave)[None]
    frames, _ = front(wave, [wave.shape[1]])
    with torch.no_grad():
        rows = model.embed(torch.tensor([ROWS]))
        x = torch.cat([rows, frames], 1)
        found = []
        encoder = model.encoder
        stages = [*encoder.encoders0, *encoder.encoders], list(encoder.tp_encoders)
        handles = [block.register_forward_hook(lambda block, inputs, output: found.append(output[0][0])) for block in sum(stages, [])]
        after = encoder.after_norm.register_forward_hook(lambda norm, inputs, output: found.__setitem__(-1, output[0]))
        last, _ = encoder(x, torch.tensor([x.shape[1]]))
        for handle in (after, *handles):
            handle.remove()
    return [state[len(ROWS) :] for state in (*found[:-1], last[0])]


def write_folder(folder, model, front, encoder):
    folder = pathlib.Path(folder)
    (folder / "config.yaml").write_text(settings_of(front, encoder))
    (folder / "am.mvn").write_text(cmvn(front["n_mels"] * front["lfr_m"]))
    torch.save(model.state_dict(), folder / "model.pt")


def settings_of(front, encoder):
    settings = {
        "encoder": "SenseVoiceEncoderSmall",
        "encoder_conf": encoder,
        "model": "SenseVoiceSmall",
        "model_conf": {"length_normalized_loss": True, "sos": 1, "eos": 2, "ignore_id": -1},
        "frontend": "WavFrontend",
        "frontend_conf": {**front, "cmvn_file": None},
        "dataset": "SenseVoiceCTCDataset",
        "ctc_conf": {"dropout_rate": 0.0, "ctc_type": "builtin", "reduce": True, "ignore_nan_grad": True},
    }
    return yaml.safe_dump(settings, sort_keys=False)


def full_size(folder, wave, _):
    model = Model(FRONT, ENCODER)
    common.fill(model)
    write_folder(folder, model, FRONT, ENCODER)
    return folder, [state.numpy() for state in states_of(model, FRONT, f"{folder}/am.mvn", wave)]


if __name__ == "__main__":
    import tempfile

    for name, (front, encoder) in VARIANTS.items():
        front, encoder = {**FRONT, **front}, {**ENCODER, **encoder}
        model = Model(front, encoder)
        tensors = common.fill(model)
        with tempfile.NamedTemporaryFile("w", suffix=".mvn") as file:
            text = cmvn(front["n_mels"] * front["lfr_m"])
            file.write(text)
            file.flush()
            states = {key: states_of(model, front, file.name, common.waveform(key, samples)) for key, samples in UTTERANCES.items()}
        description = dict(script="sensevoice.py", yaml=settings_of(front, encoder), mvn=text, tensors=tensors, utterances=UTTERANCES)
        common.write(name, states, description, funasr_reference.VERSIONS)
