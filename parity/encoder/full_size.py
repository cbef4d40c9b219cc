"""The paper's ten and later families at full size with made weights: our hidden states against the reference's.

    cargo build --release -p emobox-encoder --example states
    FAIRSEQ=<checkout> UNILM=<checkout> /opt/parity/bin/python parity/encoder/full_size.py [NAME...]

Prints the largest and the mean absolute error of every hidden state, f32 and bf16, and writes the table
into docs/encoder-parity.md (rows of models that were not run are kept). Needs up to 6 GB of memory.
Weights are made as for the goldens (common.py), scaled so that activations stay in the range of trained models.
"""

import importlib
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile

import common  # first: it lets transformers load

import numpy as np
import torch
import transformers
from transformers import (
    Data2VecAudioConfig,
    Data2VecAudioModel,
    HubertConfig,
    HubertModel,
    SeamlessM4TFeatureExtractor,
    Wav2Vec2BertConfig,
    Wav2Vec2BertModel,
    Wav2Vec2Config,
    Wav2Vec2ConformerConfig,
    Wav2Vec2ConformerModel,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMModel,
    WhisperConfig,
    WhisperFeatureExtractor,
)
from transformers.models.whisper.modeling_whisper import WhisperEncoder

ROOT = pathlib.Path(__file__).parents[2]
DOCS = ROOT / "docs/encoder-parity.md"
SAMPLES = 40_000
LARGE = dict(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096)
STABLE = dict(**LARGE, feat_extract_norm="layer", do_stable_layer_norm=True)
LARGE_V3 = dict(d_model=1280, encoder_layers=32, encoder_attention_heads=20, encoder_ffn_dim=5120, num_mel_bins=128)
CONFORMER = dict(**LARGE, feat_extract_norm="layer", conv_bias=True, hidden_act="swish")
MODELS = {
    "wav2vec2-base": (Wav2Vec2Config, Wav2Vec2Model, {}, True),
    "hubert-base": (HubertConfig, HubertModel, {}, True),
    "hubert-large": (HubertConfig, HubertModel, dict(**STABLE, conv_bias=True), True),
    "wavlm-base": (WavLMConfig, WavLMModel, {}, False),
    "wavlm-large": (WavLMConfig, WavLMModel, STABLE, True),
    "data2vec-base": (Data2VecAudioConfig, Data2VecAudioModel, {}, True),
    "data2vec-large": (Data2VecAudioConfig, Data2VecAudioModel, LARGE, True),
    "data2vec2-base": ("fairseq", dict(depth=12, prenet=0, dim=768, heads=12)),
    "data2vec2-large": ("fairseq", dict(depth=16, prenet=8, dim=1024, heads=16)),
    "whisper-large-v3": (WhisperConfig, WhisperEncoder, LARGE_V3, None),
    "w2v-bert-2.0": (Wav2Vec2BertConfig, Wav2Vec2BertModel, {}, "spectra"),
    "wav2vec2-conformer-rel-pos-large": (Wav2Vec2ConformerConfig, Wav2Vec2ConformerModel, CONFORMER, True),
    "wav2vec2-conformer-rope-large": (Wav2Vec2ConformerConfig, Wav2Vec2ConformerModel, dict(**CONFORMER, position_embeddings_type="rotary"), True),
    # By the script of the family's goldens.
    "dasheng-base": ("dasheng_encoder", dict(embed_dim=768, depth=12, num_heads=12, target_length=1008)),
    "beats-iter3": ("beats", {}),
    "mert-v1-95m": ("mert", {}),
    "mert-v1-330m": ("mert", dict(**STABLE, attention_relax=32.0)),
    "sew-d-base-plus": ("sew_d", dict(num_hidden_layers=24)),
    "sensevoice-small": ("sensevoice", {}),
    "qwen2-audio-7b": ("towers", dict(tower="qwen2-audio")),
    "voxtral-mini-3b": ("towers", dict(tower="voxtral")),
}


# family_speed.py takes the attention that the class chooses itself.
ATTENTION = "eager"


def states_of(model, inputs):
    output = model(**inputs, output_hidden_states=True)
    return [*output.hidden_states[:-1], output.last_hidden_state]


def transformers_reference(folder, wave, config_class, model_class, settings, normalise):
    config = config_class(**settings, attn_implementation=ATTENTION)
    with torch.no_grad():
        model = model_class(config)
        common.fill(model)
        if "rotary" in settings.values():
            # Computed, and kept in the checkpoint; made values would be no positions.
            columns = torch.arange(0, config.hidden_size // config.num_attention_heads, 2).float()
            model.encoder.embed_positions.inv_freq.copy_(1.0 / 10_000 ** (columns / (2 * len(columns))))
        model.save_pretrained(folder)
        if normalise == "spectra":
            extractor = SeamlessM4TFeatureExtractor()
            extractor.save_pretrained(folder)
            inputs = dict(extractor(wave, sampling_rate=16_000, return_tensors="pt"))
        elif normalise is None:
            extractor = WhisperFeatureExtractor(feature_size=config.num_mel_bins)
            inputs = {"input_features": extractor(wave, sampling_rate=16_000, return_tensors="pt").input_features}
        else:
            extractor = Wav2Vec2FeatureExtractor(do_normalize=normalise)
            extractor.save_pretrained(folder)
            inputs = {"input_values": extractor(wave, sampling_rate=16_000, return_tensors="pt").input_values}
        torch.set_num_threads(1)
        states = states_of(model, inputs)
        frames = {"spectra": lambda: int(inputs["attention_mask"].sum()), None: lambda: len(wave) // 320}
        frames = frames.get(normalise, lambda: states[-1].shape[1])()
    return folder, [state[0, :frames].numpy() for state in states]


def fairseq_reference(folder, wave, _, shape):
    import data2vec2
    from examples.data2vec.data.modality import Modality
    from examples.data2vec.models.data2vec2 import Data2VecMultiConfig, Data2VecMultiModel
    from omegaconf import OmegaConf

    audio = dict(
        data2vec2.AUDIO,
        feature_encoder_spec="[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512,2,2)] + [(512,2,2)]",
        conv_pos_width=95,
        conv_pos_groups=16,
        prenet_depth=shape["prenet"],
        num_alibi_heads=shape["heads"],
        model_depth=shape["depth"],
    )
    settings = dict(data2vec2.MODEL, depth=shape["depth"], num_heads=shape["heads"], embed_dim=shape["dim"], mlp_ratio=4.0)
    cfg = OmegaConf.merge(OmegaConf.structured(Data2VecMultiConfig), {**settings, "modalities": {"audio": audio}})
    model = Data2VecMultiModel(cfg, [Modality.AUDIO], skip_ema=True)
    common.fill(model)
    states = data2vec2.states_of(model, torch.from_numpy(wave))
    model_cfg = {**OmegaConf.to_container(cfg, resolve=False, enum_to_str=True), "_name": "data2vec_multi"}
    for unresolved in ("image", "text"):
        model_cfg["modalities"].pop(unresolved)
    path = pathlib.Path(folder) / "model.pt"
    torch.save({"cfg": {"model": model_cfg, "task": {"normalize": True}}, "model": model.state_dict()}, path)
    return path, [state.numpy() for state in states]


def family_reference(folder, wave, script, settings):
    torch.set_num_threads(1)
    return importlib.import_module(script).full_size(folder, wave, settings)


def ours(path, samples, states, *precision):
    program = os.environ.get("STATES", ROOT / "target/release/examples/states")
    call = [program, path, samples, states, *precision]
    report = json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout)
    return report, np.fromfile(states, np.float32).reshape(report["shape"])


def run(name):
    wave = common.waveform("full size", SAMPLES)
    with tempfile.TemporaryDirectory() as folder:
        kind = MODELS[name][0]
        by_kind = {True: family_reference, False: transformers_reference}
        reference = fairseq_reference if kind == "fairseq" else by_kind[isinstance(kind, str)]
        path, expected = reference(folder, wave, *MODELS[name])
        samples = f"{folder}/samples.f32"
        wave.tofile(samples)
        report, found = ours(path, samples, f"{folder}/states.f32")
        _, rounded = ours(path, samples, f"{folder}/states.f32", "bf16")
    assert len(expected) == found.shape[0] and expected[0].shape == found.shape[1:], (expected[0].shape, found.shape)
    print(f"{name}: {report['info']['parameters']:,} parameters, {found.shape[1]} frames, {report['encode_seconds']:.2f} s on one thread, "
          f"{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20:.2f} GiB at most")
    rows = []
    for layer, state in enumerate(expected):
        f32, bf16 = np.abs(found[layer] - state), np.abs(rounded[layer] - state)
        rows.append((f32.max(), f32.mean(), bf16.max(), bf16.mean(), np.abs(state).max()))
        print("  layer {:2}: f32 max {:.1e} mean {:.1e}; bf16 max {:.1e} mean {:.1e}; largest activation {:.1f}".format(layer, *rows[-1]))
    worst = [max(column) for column in zip(*rows)]
    mean = [sum(column) / len(rows) for column in zip(*rows)]
    verdict = "yes" if worst[0] < 1e-3 else "NO"
    return (
        f"| `{name}` | {report['info']['parameters']:,} | {len(rows)} | {worst[4]:.1f} | {worst[0]:.1e} | {mean[1]:.1e} | "
        f"{rows[-1][0]:.1e} | {verdict} | {worst[2]:.1e} | {mean[3]:.1e} |"
    )


HEAD = f"""# Parity at full size

Hidden states of every layer against the reference implementation, from the same made weights at the size of the
release and {SAMPLES / 16_000:.1f} s of noise: `parity/encoder/full_size.py` (PyTorch {torch.__version__}, transformers
{transformers.__version__} at the last run, 5.23.0 for the rows before; fairseq for data2vec 2.0). The goal is a largest error below 1e-3 in f32.
[Variations of small checkpoints](encoder-variations.md) gives errors against f64 beside PyTorch's own.

| model | parameters | hidden states | largest activation | f32 max | f32 mean | f32 max, last layer | below 1e-3 | bf16 max | bf16 mean |
|---|---:|---:|---:|---:|---:|---:|---|---:|---:|
"""

if __name__ == "__main__":
    names = sys.argv[1:] or list(MODELS)
    rows = {}
    if DOCS.exists():
        rows = dict(re.findall(r"^(\| `(?:[^`]+)` )(.*)$", DOCS.read_text(), re.M))
        rows = {key[3:-2]: key + rest for key, rest in rows.items()}
    for name in names:
        if MODELS[name][0] == "fairseq":
            import fairseq_reference as _  # noqa: F401  makes fairseq importable
        rows[name] = run(name)
        DOCS.write_text(HEAD + "".join(f"{rows[known]}\n" for known in MODELS if known in rows))
