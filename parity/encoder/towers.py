"""Goldens of the audio towers that are Whisper encoders under other names, by transformers.

    /opt/parity/bin/python parity/encoder/towers.py

Every tower is run as its model runs it: with the mask that the model gives it, in the windows that its processor makes.
Where pairs of frames are averaged before the last norm, the last state of a pair stands for both its frames; a last frame that
has no partner in the recording, which the model leaves out, is normalised alone.
"""

import common  # first: it lets transformers load

import json
import pathlib

import numpy as np
import safetensors.torch
import torch
import transformers
from transformers import WhisperFeatureExtractor
from transformers.models.audioflamingo3.configuration_audioflamingo3 import AudioFlamingo3EncoderConfig
from transformers.models.audioflamingo3.modeling_audioflamingo3 import AudioFlamingo3Encoder
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import Qwen2_5OmniAudioEncoderConfig
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniAudioEncoder
from transformers.models.qwen2_audio.configuration_qwen2_audio import Qwen2AudioEncoderConfig
from transformers.models.qwen2_audio.modeling_qwen2_audio import Qwen2AudioEncoder
from transformers.models.qwen3_omni_moe.configuration_qwen3_omni_moe import Qwen3OmniMoeAudioEncoderConfig
from transformers.models.qwen3_omni_moe.modeling_qwen3_omni_moe import Qwen3OmniMoeAudioEncoder
from transformers.models.voxtral.configuration_voxtral import VoxtralEncoderConfig
from transformers.models.voxtral.modeling_voxtral import VoxtralEncoder

WINDOW = 480_000
UTTERANCES = {"long": 9_000, "short": 4_321, "odd": 4_160}
SMALL = dict(d_model=16, encoder_layers=2, encoder_attention_heads=4, encoder_ffn_dim=64, attn_implementation="eager")
# A second window has 1500 frames before it, so these are narrower.
NARROW = dict(d_model=8, encoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=16, attn_implementation="eager")
VOXTRAL = dict(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, attn_implementation="eager")


class Recorder:
    """The inputs and outputs of a tower's blocks, and what its last norm yields."""

    def __init__(self, tower, norm):
        self.states, self.normed, self.norm = [], None, norm
        for index, layer in enumerate(tower.layers):
            layer.register_forward_hook(self.block(index), with_kwargs=True)
        norm.register_forward_hook(self.last)

    def block(self, index):
        def hook(_, args, kwargs, output):
            given = args[0] if args else kwargs["hidden_states"]
            output = output[0] if isinstance(output, tuple) else output
            if index == 0:
                self.states = [given.reshape(-1, given.shape[-1])]
            self.states.append(output.reshape(-1, output.shape[-1]))

        return hook

    def last(self, _, args, output):
        self.normed = output.reshape(-1, output.shape[-1])

    def of(self, frames, valid, pooled):
        """Of so many frames, of which `valid` take part in pairs."""
        last = self.normed
        if pooled:
            last = last.repeat_interleave(2, 0)[: valid // 2 * 2][:frames]
            if len(last) < frames:
                last = torch.cat([last, self.norm(self.states[-1][len(last) : frames])])
        return [state[:frames] for state in (*self.states[:-1], last)]


def masked(tower, features, mask):
    """As Qwen2AudioModel.forward masks what it gives to its tower."""
    lengths = (mask.sum(-1) - 1) // 2 + 1
    hidden = torch.arange(1500)[None, :] >= lengths[:, None]
    bias = torch.zeros(len(features), 1, 1500, 1500).masked_fill(hidden[:, None, None, :], torch.finfo(torch.float32).min)
    return tower(features, attention_mask=bias)


def windows(wave, tower, recorder, run, pooled, whole):
    """The states of every window of 30 s, one after another."""
    extractor = WhisperFeatureExtractor(feature_size=tower.config.num_mel_bins)
    count = max(len(wave) // 320, 1) // 1500 + (max(len(wave) // 320, 1) % 1500 > 0)
    parts = []
    if whole:
        all_features = extractor(wave, sampling_rate=16_000, padding=True, truncation=False, pad_to_multiple_of=WINDOW, return_tensors="pt")
        all_features = all_features.input_features
    for index in range(count):
        part = wave[index * WINDOW : (index + 1) * WINDOW]
        mask = None
        if whole:
            features = all_features[..., index * 3000 : (index + 1) * 3000]
        else:
            made = extractor(part, sampling_rate=16_000, return_attention_mask=True, return_tensors="pt")
            features, mask = made.input_features, made.attention_mask
        run(tower, features, mask)
        frames = min(max(len(wave) // 320, 1) - index * 1500, 1500)
        valid = 1500 if mask is None else int((mask.sum() - 1) // 2 + 1)
        parts.append(recorder.of(frames, valid, pooled))
    return [torch.cat(states) for states in zip(*parts)]


def qwen2_audio(sizes=SMALL):
    tower = Qwen2AudioEncoder(Qwen2AudioEncoderConfig(**sizes, num_mel_bins=128))
    run = lambda wave, recorder: windows(wave[:WINDOW], tower, recorder, masked, True, False)
    return tower, tower.layer_norm, run, {"model_type": "qwen2_audio", "audio_config": tower.config.to_dict()}, None, UTTERANCES


def audio_flamingo():
    tower = AudioFlamingo3Encoder(AudioFlamingo3EncoderConfig(**NARROW, num_mel_bins=128))
    forward = lambda tower, features, mask: tower(features, input_features_mask=mask)
    run = lambda wave, recorder: windows(wave, tower, recorder, forward, True, False)
    utterances = {**UTTERANCES, "two windows": 490_000}
    return tower, tower.layer_norm, run, {"model_type": "audioflamingo3", "audio_config": tower.config.to_dict()}, None, utterances


def voxtral(sizes=VOXTRAL):
    tower = VoxtralEncoder(VoxtralEncoderConfig(**sizes, num_mel_bins=128))
    forward = lambda tower, features, _: tower(features)
    run = lambda wave, recorder: windows(wave, tower, recorder, forward, False, True)
    utterances = {**UTTERANCES, "two windows": 490_000}
    return tower, tower.layer_norm, run, {"model_type": "voxtral", "audio_config": tower.config.to_dict()}, None, utterances


def qwen2_5_omni():
    # An odd number of positions a chunk: pairs reach across.
    tower = Qwen2_5OmniAudioEncoder(Qwen2_5OmniAudioEncoderConfig(**SMALL, num_mel_bins=80, n_window=9, output_dim=12))
    extractor = WhisperFeatureExtractor(feature_size=80, chunk_length=300)

    def run(wave, recorder):
        made = extractor(wave, sampling_rate=16_000, return_attention_mask=True, return_tensors="pt")
        lengths = made.attention_mask.sum(-1)
        tower(made.input_features[0][:, made.attention_mask[0].bool()], feature_lens=lengths)
        return recorder.of(max(len(wave) // 320, 1), int((lengths[0] - 1) // 2 + 1), True)

    config = {"model_type": "qwen2_5_omni", "thinker_config": {"audio_config": tower.config.to_dict()}}
    preprocessor = {"feature_extractor_type": "WhisperFeatureExtractor", "chunk_length": 300, "feature_size": 80, "sampling_rate": 16_000}
    return tower, tower.ln_post, run, config, preprocessor, UTTERANCES


def qwen3_omni():
    # Two chunks a window, so that the longest recording has two windows, the last of which is not full.
    config = Qwen3OmniMoeAudioEncoderConfig(**SMALL, num_mel_bins=80, n_window_infer=200, downsample_hidden_size=6, output_dim=12)
    tower = Qwen3OmniMoeAudioEncoder(config)
    extractor = WhisperFeatureExtractor(feature_size=80)

    def run(wave, recorder):
        made = extractor(wave, sampling_rate=16_000, padding=True, truncation=False, return_attention_mask=True, return_tensors="pt")
        lengths = made.attention_mask.sum(-1)
        tower(made.input_features[0][:, made.attention_mask[0].bool()], feature_lens=lengths)
        return recorder.of(len(recorder.normed), 0, False)

    config = {"model_type": "qwen3_omni_moe", "thinker_config": {"audio_config": tower.config.to_dict()}}
    preprocessor = {"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 80, "sampling_rate": 16_000}
    utterances = {"long": 9_000, "short": 4_321, "two windows": 42_345, "whole chunks": 32_000}
    return tower, tower.ln_post, run, config, preprocessor, utterances


TOWERS = {
    "qwen3-omni": (qwen3_omni, "thinker.audio_tower."),
    "qwen2-audio": (qwen2_audio, "audio_tower."),
    "audio-flamingo-3": (audio_flamingo, "model.audio_tower."),
    "voxtral": (voxtral, "audio_tower."),
    "qwen2-5-omni": (qwen2_5_omni, "thinker.audio_tower."),
}


def states_of(run, wave, recorder):
    with torch.no_grad():
        return run(wave, recorder)


def full_size(folder, wave, settings):
    """The tower of this name in the sizes of its release, which are those of its class by default."""
    make, prefix = TOWERS[settings["tower"]]
    tower, norm, run, config, _, _ = make(dict(attn_implementation=settings.get("attention", "eager")))
    common.fill(tower)
    folder = pathlib.Path(folder)
    (folder / "config.json").write_text(json.dumps(config))
    tensors = {prefix + name: tensor.contiguous() for name, tensor in tower.state_dict().items()}
    safetensors.torch.save_file(tensors, folder / "model.safetensors")
    states = states_of(run, wave, Recorder(tower, norm))
    return folder, [state.numpy() for state in states]


if __name__ == "__main__":
    for name, (make, prefix) in TOWERS.items():
        tower, norm, run, config, preprocessor, utterances = make()
        tensors = common.fill(tower)
        recorder = Recorder(tower, norm)
        states = {key: states_of(run, common.waveform(key, samples), recorder) for key, samples in utterances.items()}
        description = dict(script="towers.py", config=config, preprocessor=preprocessor, prefix=prefix, tensors=tensors, utterances=utterances)
        common.write(name, states, description, {"transformers": transformers.__version__})
