"""Goldens of the wav2vec 2.0 family, by transformers.

    /opt/parity/bin/python parity/encoder/speech.py
"""

import common  # first: it lets transformers load

import torch
import transformers
from transformers import (
    Data2VecAudioConfig,
    Data2VecAudioModel,
    HubertConfig,
    HubertModel,
    UniSpeechSatConfig,
    UniSpeechSatModel,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMModel,
)

SHAPE = dict(
    hidden_size=32,
    num_hidden_layers=3,
    num_attention_heads=4,
    intermediate_size=48,
    conv_dim=[16, 16, 16, 16, 16, 16, 24],
    num_conv_pos_embeddings=16,
    num_conv_pos_embedding_groups=4,
    mask_time_prob=0.05,
    attn_implementation="eager",
)
LARGE = dict(feat_extract_norm="layer", do_stable_layer_norm=True)

VARIANTS = {
    "wav2vec2-base": (Wav2Vec2Config, Wav2Vec2Model, {}, True),
    "wav2vec2-large": (Wav2Vec2Config, Wav2Vec2Model, dict(**LARGE, conv_bias=True, num_conv_pos_embeddings=15), True),
    "mms-adapter": (Wav2Vec2Config, Wav2Vec2Model, dict(**LARGE, adapter_attn_dim=8, layer_norm_eps=1e-3), True),
    "hubert-base": (HubertConfig, HubertModel, {}, True),
    "hubert-large": (HubertConfig, HubertModel, dict(**LARGE, conv_bias=True), True),
    "mhubert": (HubertConfig, HubertModel, dict(conv_pos_batch_norm=True, feat_proj_layer_norm=False), False),
    "wavlm-base": (WavLMConfig, WavLMModel, dict(num_buckets=16, max_bucket_distance=20), False),
    "wavlm-large": (WavLMConfig, WavLMModel, dict(**LARGE, num_hidden_layers=2), True),
    "data2vec-audio": (
        Data2VecAudioConfig,
        Data2VecAudioModel,
        dict(num_conv_pos_embeddings=5, conv_pos_kernel_size=19),
        True,
    ),
    "unispeech-sat": (UniSpeechSatConfig, UniSpeechSatModel, LARGE, False),
}
UTTERANCES = {"long": 9_000, "short": 4_321}
# Longer than what the front end computes at once, one for each kind of norm.
LONG = {"wav2vec2-base": {"longer": 30_000}, "wav2vec2-large": {"longer": 30_000}}

for name, (config_class, model_class, settings, normalise) in VARIANTS.items():
    config = config_class(**{**SHAPE, **settings})
    model = model_class(config)
    tensors = common.fill(model)
    extractor = Wav2Vec2FeatureExtractor(do_normalize=normalise)
    states = {}
    utterances = {**UTTERANCES, **LONG.get(name, {})}
    for utterance, samples in utterances.items():
        wave = common.waveform(utterance, samples)
        inputs = extractor(wave, sampling_rate=16_000, return_tensors="pt").input_values
        with torch.no_grad():
            output = model(inputs, output_hidden_states=True)
        # The last state is the model's output. transformers 5 lists it without the final norm of the
        # stable-layer-norm encoders, transformers 4 with it.
        states[utterance] = [state[0] for state in (*output.hidden_states[:-1], output.last_hidden_state)]
    settings = {key: value for key, value in config.to_dict().items() if key != "_name_or_path"}
    description = dict(
        script="speech.py",
        config=settings,
        preprocessor={"do_normalize": normalise, "sampling_rate": 16_000},
        tensors=tensors,
        utterances=utterances,
    )
    common.write(name, states, description, {"transformers": transformers.__version__})
