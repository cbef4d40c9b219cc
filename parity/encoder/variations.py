"""Checkpoints as people have them: every variation is made, read by the reference in f64 and f32, and by emobox.

    cargo build -p emobox && cargo build -p emobox-encoder --example states
    /opt/parity/bin/python parity/encoder/variations.py [--only TEXT]

Families × shapes × prefixes × formats × quirks of configurations × recordings, and checkpoints that are to be refused. Each is
exact, or refused with what it is. Errors are the largest of any hidden state against transformers in f64, relative to the largest
magnitude of that state; PyTorch's own f32 error stands beside it. What w2v-BERT hears, bands divided by their deviation, is in f64 too for
the one and the extractor's for the other. Writes docs/encoder-variations.md; exits with 1 where a row is
neither exact nor refused by name. Weights and noise are made by the hash of common.py.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import common  # first: it lets transformers load

import numpy as np
import safetensors.torch
import torch
import transformers
from transformers import (
    Data2VecAudioConfig,
    Data2VecAudioModel,
    HubertConfig,
    HubertForCTC,
    HubertModel,
    SeamlessM4TFeatureExtractor,
    UniSpeechConfig,
    UniSpeechModel,
    UniSpeechSatConfig,
    UniSpeechSatModel,
    Wav2Vec2BertConfig,
    Wav2Vec2BertModel,
    Wav2Vec2Config,
    Wav2Vec2ConformerConfig,
    Wav2Vec2ConformerModel,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2ForPreTraining,
    Wav2Vec2ForSequenceClassification,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMModel,
    WhisperConfig,
    WhisperFeatureExtractor,
)
from transformers.models.whisper.modeling_whisper import WhisperEncoder

ROOT = pathlib.Path(__file__).parents[2]
DOCS = ROOT / "docs/encoder-variations.md"
EMOBOX = ROOT / "target/debug/emobox"
STATES = ROOT / "target/debug/examples/states"
# Of the largest magnitude of a hidden state, or so many times PyTorch's own error, whichever is more.
GOAL, TIMES = 1e-5, 4.0

SHAPE = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48, attn_implementation="eager")
WAVES = dict(conv_dim=[16, 16, 16, 16, 16, 16, 24], num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4)
STABLE = dict(feat_extract_norm="layer", do_stable_layer_norm=True)
DEPTHWISE = dict(conv_depthwise_kernel_size=7)
WHISPER = dict(d_model=16, encoder_layers=2, encoder_attention_heads=4, encoder_ffn_dim=64, num_mel_bins=80, attn_implementation="eager")

FAMILIES = {
    "wav2vec2": (Wav2Vec2Config, Wav2Vec2Model, {**SHAPE, **WAVES}),
    "wav2vec2-stable": (Wav2Vec2Config, Wav2Vec2Model, {**SHAPE, **WAVES, **STABLE, "conv_bias": True}),
    "hubert": (HubertConfig, HubertModel, {**SHAPE, **WAVES}),
    "hubert-stable": (HubertConfig, HubertModel, {**SHAPE, **WAVES, **STABLE}),
    "wavlm": (WavLMConfig, WavLMModel, {**SHAPE, **WAVES}),
    "wavlm-stable": (WavLMConfig, WavLMModel, {**SHAPE, **WAVES, **STABLE}),
    "data2vec-audio": (Data2VecAudioConfig, Data2VecAudioModel, {**SHAPE, **WAVES, "num_conv_pos_embeddings": 5}),
    "unispeech-sat": (UniSpeechSatConfig, UniSpeechSatModel, {**SHAPE, **WAVES}),
    "unispeech": (UniSpeechConfig, UniSpeechModel, {**SHAPE, **WAVES}),
    "w2v-bert": (Wav2Vec2BertConfig, Wav2Vec2BertModel, {**SHAPE, **DEPTHWISE}),
    "conformer": (Wav2Vec2ConformerConfig, Wav2Vec2ConformerModel, {**SHAPE, **WAVES, **DEPTHWISE, "hidden_act": "swish"}),
    "conformer-rotary": (Wav2Vec2ConformerConfig, Wav2Vec2ConformerModel, {**SHAPE, **WAVES, **DEPTHWISE, "position_embeddings_type": "rotary"}),
    "whisper": (WhisperConfig, WhisperEncoder, WHISPER),
}
SPEECH = [name for name in FAMILIES if name != "whisper"]
BASE = {"wav2vec2": "wav2vec2.", "hubert": "hubert.", "wavlm": "wavlm.", "w2v-bert": "wav2vec2_bert."}


class Kind:
    """A variation: which model, how it is written, what is heard."""

    def __init__(self, group, name, family, settings=None, model=None, write=None, change=None, preprocessor=None, wave=None, refused=None, f64=True):
        self.group, self.name, self.family = group, name, family
        self.settings, self.model, self.write, self.change = settings or {}, model, write, change
        self.preprocessor, self.wave, self.refused = preprocessor, wave, refused


def noise(samples, name="variation"):
    return common.waveform(name, samples)


def with_silence(samples):
    wave = noise(samples)
    wave[samples // 4 : samples // 2] = 0.0
    return wave


WAVEFORMS = {
    "shortest": lambda: noise(720),
    "0.3 s": lambda: noise(4_801),
    "5 s": lambda: noise(80_000),
    "20 s": lambda: noise(320_000),
    "silence": lambda: np.zeros(32_000, np.float32),
    "constant": lambda: np.full(32_000, 0.25, np.float32),
    "half silent": lambda: with_silence(32_000),
    "loud": lambda: (noise(32_000) * 30).astype(np.float32),
    "faint": lambda: (noise(32_000) * 1e-4).astype(np.float32),
    "offset": lambda: noise(32_000) + np.float32(0.5),
    "click": lambda: np.where(np.arange(32_000) == 15_000, 1.0, 0.0).astype(np.float32),
    "sine": lambda: np.sin(np.arange(32_000) * 0.2).astype(np.float32),
}


def prefixed(prefix, drop=""):
    def write(folder, state):
        state = {prefix + name.removeprefix(drop): value.contiguous() for name, value in state.items()}
        safetensors.torch.save_file(state, folder / "model.safetensors", metadata={"format": "pt"})

    return write


def cast(dtype):
    def write(folder, state):
        state = {name: value.to(dtype).contiguous() if value.is_floating_point() else value for name, value in state.items()}
        safetensors.torch.save_file(state, folder / "model.safetensors", metadata={"format": "pt"})

    return write


def torch_file(name, wrap=None, legacy=False):
    def write(folder, state):
        state = {wrap: state} if wrap else state
        torch.save(state, folder / name, _use_new_zipfile_serialization=not legacy)

    return write


def sharded(form):
    def write(folder, state):
        names, shards = list(state), 3
        weight_map = {}
        ending = "safetensors" if form == "safetensors" else "bin"
        stem = "model" if form == "safetensors" else "pytorch_model"
        for index in range(shards):
            part = {name: state[name].contiguous() for name in names[index::shards]}
            file = f"{stem}-{index + 1:05}-of-{shards:05}.{ending}"
            weight_map |= {name: file for name in part}
            if form == "safetensors":
                safetensors.torch.save_file(part, folder / file)
            else:
                torch.save(part, folder / file)
        (folder / f"{stem}.{ending}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))

    return write


def old_weight_norm(folder, state):
    rename = lambda name: name.replace("parametrizations.weight.original0", "weight_g").replace("parametrizations.weight.original1", "weight_v")
    prefixed("")(folder, {rename(name): value for name, value in state.items()})


def without(text):
    return lambda folder, state: prefixed("")(folder, {name: value for name, value in state.items() if text not in name})


def spoilt(value, text="attention.q_proj.weight"):
    def write(folder, state):
        state = {name: tensor.clone() for name, tensor in state.items()}
        next(tensor for name, tensor in state.items() if text in name).view(-1)[3] = value
        prefixed("")(folder, state)

    return write


def integers(folder, state):
    state = {name: (value * 40).to(torch.int8) if value.dim() == 2 else value for name, value in state.items()}
    prefixed("")(folder, state)


def raw_bytes(content):
    return lambda folder, _: (folder / "model.safetensors").write_bytes(content)


def truncated(folder, state):
    prefixed("")(folder, state)
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def key(name, value):
    return lambda config: config.__setitem__(name, value)


def dropped(*names):
    def change(config):
        for name in names:
            config.pop(name, None)

    return change


def kinds():
    for family in FAMILIES:
        yield Kind("family", "as transformers saves it", family)
        yield Kind("format", "bf16", family, write=cast(torch.bfloat16))
        yield Kind("format", "fp16", family, write=cast(torch.float16))
        for wave in ("silence", "half silent", "loud", "5 s"):
            yield Kind("recording", wave, family, wave=wave)
    for wave in WAVEFORMS:
        if wave not in ("silence", "half silent", "loud", "5 s"):
            for family in ("wav2vec2", "wav2vec2-stable", "wavlm", "w2v-bert"):
                yield Kind("recording", wave, family, wave=wave)
    sizes = {
        "one layer": dict(num_hidden_layers=1),
        "eight layers": dict(num_hidden_layers=8),
        "one head": dict(num_attention_heads=1),
        "heads of 2": dict(num_attention_heads=16),
        "36 dims, 3 heads": dict(hidden_size=36, num_attention_heads=3),
        "odd inner layer": dict(intermediate_size=37),
        "epsilon 1e-3": dict(layer_norm_eps=1e-3),
        "ReLU": dict(hidden_act="relu"),
    }
    for size, settings in sizes.items():
        for family in ("wav2vec2", "wavlm-stable", "w2v-bert", "conformer"):
            yield Kind("shape", size, family, settings=settings)
    fronts = {
        "odd positional kernel": dict(num_conv_pos_embeddings=15),
        "one positional group": dict(num_conv_pos_embedding_groups=1),
        "six convolutions": dict(conv_dim=[16] * 6, conv_kernel=[10, 3, 3, 3, 3, 2], conv_stride=[5, 2, 2, 2, 2, 2]),
        "dims of the front end differ": dict(conv_dim=[8, 12, 16, 20, 24, 28, 32]),
        "bias of the front end": dict(conv_bias=True),
    }
    for front, settings in fronts.items():
        for family in ("wav2vec2", "hubert-stable", "unispeech-sat"):
            yield Kind("front end", front, family, settings=settings)
    for prefix in ("own", "model.", "module.", "encoder.", "base_model.model.", "_orig_mod.", "ssl_model.", "net.", "a.b.c.", "module.model."):
        for family in ("wav2vec2", "wavlm"):
            yield Kind("prefix", prefix, family, write=prefixed(BASE[family] if prefix == "own" else prefix))
    for prefix in ("model.encoder.", "encoder.", "whisper.encoder.", "module.model.encoder."):
        yield Kind("prefix", prefix, "whisper", write=prefixed(prefix))
    formats = {
        "pytorch_model.bin": torch_file("pytorch_model.bin"),
        "pytorch_model.bin of old": torch_file("pytorch_model.bin", legacy=True),
        "model.pt": torch_file("model.pt"),
        "state_dict inside": torch_file("checkpoint.pth", wrap="state_dict"),
        "model inside": torch_file("best.ckpt", wrap="model"),
        "shards of safetensors": sharded("safetensors"),
        "shards of .bin": sharded("bin"),
        "weight norm of old": old_weight_norm,
        "f64": cast(torch.float64),
    }
    for form, write in formats.items():
        for family in ("wav2vec2", "hubert-stable"):
            yield Kind("format", form, family, write=write)
    yield Kind("head", "CTC", "wav2vec2", model=Wav2Vec2ForCTC)
    yield Kind("head", "pre-training", "wav2vec2", model=Wav2Vec2ForPreTraining)
    yield Kind("head", "SequenceClassification", "wav2vec2", model=Wav2Vec2ForSequenceClassification)
    yield Kind("head", "CTC", "hubert", model=HubertForCTC)
    quirks = {
        "gelu_python": key("hidden_act", "gelu_python"),
        "architectures alone": lambda config: (config.pop("model_type"), config.__setitem__("architectures", ["Wav2Vec2ForCTC"])),
        "a null quantization_config": key("quantization_config", None),
        "keys that nobody knows": key("a_new_key", {"x": [1]}),
        "whole numbers as 4.0": key("num_attention_heads", 4.0),
        "epsilon as text": key("layer_norm_eps", "1e-05"),
    }
    for quirk, change in quirks.items():
        yield Kind("configuration", quirk, "wav2vec2", change=change)
    for family in ("wav2vec2", "hubert-stable", "wavlm"):
        yield Kind("configuration", "do_normalize false", family, preprocessor={"do_normalize": False})
        yield Kind("configuration", "processor_config.json", family, preprocessor={"do_normalize": False, "nested": True})
        yield Kind("configuration", "no preprocessor", family, preprocessor={"absent": True})
    refused = {
        "a tensor is missing": (dict(write=without("layers.1.feed_forward.output_dense.weight")), ["missing"]),
        "another width": (dict(change=key("hidden_size", 64)), ["shape"]),
        "a layer too many": (dict(change=key("num_hidden_layers", 3)), ["missing"]),
        "NaN": (dict(write=spoilt(float("nan"))), ["NaN"]),
        "infinity": (dict(write=spoilt(float("inf"))), ["inf"]),
        "int8 weights": (dict(write=integers), ["quantised"]),
        "quantization_config": (dict(change=key("quantization_config", {"quant_method": "bitsandbytes"})), ["quantised"]),
        "a truncated file": (dict(write=truncated), ["model.safetensors"]),
        "an empty file": (dict(write=raw_bytes(b"")), ["model.safetensors"]),
        "a header longer than the file": (dict(write=raw_bytes(b"\xff" * 64)), ["model.safetensors"]),
        "a pointer of git LFS": (dict(write=raw_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")), ["LFS"]),
        "heads that do not divide": (dict(change=key("num_attention_heads", 5)), ["num_attention_heads"]),
        "an activation nobody has": (dict(change=key("hidden_act", "mish")), ["hidden_act"]),
        "an architecture nobody has": (dict(change=key("model_type", "sew-d")), ["sew-d"]),
        "a preprocessor at 8 kHz": (dict(preprocessor={"sampling_rate": 8_000}), ["sampling_rate"]),
    }
    for name, (how, words) in refused.items():
        yield Kind("to be refused", name, "wav2vec2", refused=words, **how)
    yield Kind("to be refused", "another window", "whisper", change=key("max_source_positions", 750), refused=["max_source_positions"])
    yield Kind("to be refused", "another spectrum", "w2v-bert", preprocessor={"num_mel_bins": 40}, refused=["num_mel_bins"])
    yield Kind("to be refused", "positions nobody has", "conformer", change=key("position_embeddings_type", "learned"), refused=["position_embeddings_type"])


def features(kind, config, wave):
    """What the reference's extractor gives, and how it is configured."""
    if kind.family == "whisper":
        made = WhisperFeatureExtractor(feature_size=80)(wave, sampling_rate=16_000, return_tensors="pt")
        return {"input_features": made.input_features}, {"feature_size": 80, "chunk_length": 30}
    if kind.family == "w2v-bert":
        made = SeamlessM4TFeatureExtractor()(wave, sampling_rate=16_000, return_tensors="pt")
        return dict(made), {"num_mel_bins": 80, "stride": 2, "sampling_rate": 16_000, **(kind.preprocessor or {})}
    given = {"do_normalize": True, "sampling_rate": 16_000, **(kind.preprocessor or {})}
    extractor = Wav2Vec2FeatureExtractor(do_normalize=given["do_normalize"])
    return {"input_values": extractor(wave, sampling_rate=16_000, return_tensors="pt").input_values}, given


def spectra_in_f64(wave):
    """What `SeamlessM4TFeatureExtractor` computes, without its roundings to single precision."""
    extractor = SeamlessM4TFeatureExtractor()
    count = 1 + (len(wave) - 400) // 160
    frames = np.stack([wave[160 * i : 160 * i + 400] for i in range(count)]).astype(np.float64) * 2**15
    frames -= frames.mean(1, keepdims=True)
    frames = np.concatenate([frames[:, :1] * 0.03, frames[:, 1:] - 0.97 * frames[:, :-1]], 1) * extractor.window
    power = np.abs(np.fft.rfft(frames, 512)) ** 2
    mel = np.log(np.maximum(power @ extractor.mel_filters, 2.0**-23))
    mel = (mel - mel.mean(0)) / np.sqrt(mel.var(0, ddof=1) + 1e-7)
    return torch.from_numpy(mel[: count // 2 * 2].reshape(1, count // 2, -1))


def reference(kind, encoder, inputs, frames, double):
    dtype = torch.float64 if double else torch.float32
    encoder = encoder.to(dtype)
    for part in encoder.modules():
        # What rotary positions keep of an earlier call is of its numbers.
        if hasattr(part, "cached_sequence_length"):
            part.cached_sequence_length = None
    inputs = {name: value.to(dtype) if value.is_floating_point() else value for name, value in inputs.items()}
    with torch.no_grad():
        output = encoder(**inputs, output_hidden_states=True)
    return [state[0, :frames].double().numpy() for state in (*output.hidden_states[:-1], output.last_hidden_state)]


def run(kind, folder):
    config_class, model_class, shape = FAMILIES[kind.family]
    config = config_class(**{**shape, **kind.settings})
    model = (kind.model or model_class)(config)
    common.fill(model)
    state = model.state_dict()
    if kind.family == "conformer-rotary":
        encoder = model.encoder.embed_positions
        encoder.inv_freq.copy_(1.0 / 10_000 ** (torch.arange(0, 8, 2).float() / 8))
    settings = config.to_dict()
    if kind.change:
        kind.change(settings)
    (folder / "config.json").write_text(json.dumps(settings))
    wave = WAVEFORMS[kind.wave]() if kind.wave else noise(9_000)
    (kind.write or prefixed(""))(folder, state)
    if kind.write in (None,) or kind.refused is None:
        # What rounds or drops weights as it writes them is read as it was written.
        rounded = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(kind.name if kind.group == "format" else None)
        if rounded:
            model.load_state_dict({name: value.to(rounded).to(value.dtype) if value.is_floating_point() else value for name, value in state.items()})
    inputs, preprocessor = features(kind, config, wave)
    nested, absent = preprocessor.pop("nested", False), preprocessor.pop("absent", False)
    if nested:
        (folder / "processor_config.json").write_text(json.dumps({"feature_extractor": preprocessor}))
    elif not absent:
        (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    samples = folder / "wave.f32"
    wave.tofile(samples)
    call = [STATES, folder, samples, folder / "states.f32"]
    ran = subprocess.run(call, capture_output=True, text=True)
    if ran.returncode != 0:
        # What people see; it has to say the same as the attempt to open.
        checked = subprocess.run([EMOBOX, "encoders", "check", folder], capture_output=True, text=True)
        told = (checked.stdout + checked.stderr).replace(str(folder), "FOLDER").strip()
        right = kind.refused is not None and ran.returncode == 1 and "it opens" not in told
        right = right and all(word.lower() in told.lower() for word in kind.refused)
        told = " ".join(told.split())[-300:]
        return ("refused by name" if right else "WRONG: refused"), None, None, told
    if kind.refused is not None:
        return "WRONG: read", None, None, ""
    report = json.loads(ran.stdout)
    found = np.fromfile(folder / "states.f32", np.float32).reshape(report["shape"]).astype(np.float64)
    encoder = model
    for part in ("wav2vec2", "hubert"):
        if kind.model and hasattr(model, part):
            encoder = getattr(model, part)
    encoder.eval()
    frames = report["shape"][1]
    theirs = reference(kind, encoder, inputs, frames, False)
    if kind.family == "w2v-bert":
        inputs = {"input_features": spectra_in_f64(wave)}
    exact = reference(kind, encoder, inputs, frames, True)
    if len(exact) != len(found) or exact[0].shape != found.shape[1:]:
        return f"WRONG: shape {found.shape}", None, None, ""
    relative = lambda states: max(np.abs(a - b).max() / max(np.abs(b).max(), 1e-30) for a, b in zip(states, exact))
    ours, theirs = relative(found), relative(theirs)
    verdict = "exact" if ours <= max(GOAL, TIMES * theirs) else "WRONG: error"
    return verdict, ours, theirs, ""


HEAD = f"""# Variations of checkpoints

Written by `parity/encoder/variations.py` (PyTorch {torch.__version__}, transformers {transformers.__version__}); made weights, made recordings.
An error is the largest of any hidden state against the reference computed in f64, over the largest magnitude of that state. *Exact* is an error of at
most {GOAL:.0e}, or of at most {TIMES:.0f} times PyTorch's own in f32 against the same. Everything else is to be refused with what it is.

"""
TABLE = """| | group | variation | family | verdict | emobox, f32 | PyTorch, f32 |
|---:|---|---|---|---|---:|---:|
"""

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    only = parser.parse_args().only
    rows, wrong = [], []
    for kind in kinds():
        if only and only not in f"{kind.group} {kind.name} {kind.family}":
            continue
        with tempfile.TemporaryDirectory() as folder:
            verdict, ours, theirs, told = run(kind, pathlib.Path(folder))
        numbers = ("", "") if ours is None else (f"{ours:.1e}", f"{theirs:.1e}")
        rows.append((kind, verdict, ours, theirs, f"| {len(rows) + 1} | {kind.group} | {kind.name} | {kind.family} | {verdict} | {numbers[0]} | {numbers[1]} |"))
        print(rows[-1][-1], told if verdict != "exact" else "", flush=True)
        if verdict.startswith("WRONG"):
            wrong.append(rows[-1][-1])
    read = [(ours, theirs) for _, _, ours, theirs, _ in rows if ours is not None]
    if read and not only:
        ours, theirs = (max(column) for column in zip(*read))
        summary = f"{len(rows)} kinds: {len(read)} read, {len(rows) - len(read)} refused. The largest error is {ours:.1e}, PyTorch's is {theirs:.1e}.\n\n"
        DOCS.write_text(HEAD + summary + TABLE + "\n".join(row[-1] for row in rows) + "\n")
    print(f"{len(rows)} kinds, {len(wrong)} wrong")
    sys.exit(bool(wrong))
