"""Goldens of HuBERT by fairseq, with real checkpoint files.

    FAIRSEQ=<checkout> /opt/parity/bin/python parity/encoder/hubert_fairseq.py
"""

import fairseq_reference  # first: it makes fairseq importable

import types

import torch
from fairseq.models.hubert.hubert import HubertConfig, HubertModel
from omegaconf import OmegaConf

import common

SETTINGS = dict(
    label_rate=50,
    encoder_layers=2,
    encoder_embed_dim=16,
    encoder_ffn_embed_dim=24,
    encoder_attention_heads=4,
    conv_feature_layers="[(8, 10, 5)] + [(8, 3, 2)] * 4 + [(8,2,2)] + [(12,2,2)]",
    conv_pos=16,
    conv_pos_groups=4,
    final_dim=4,
)
VARIANTS = {
    "hubert-fairseq-base": ({}, False),
    "hubert-fairseq-large": (dict(extractor_mode="layer_norm", layer_norm_first=True), True),
}
UTTERANCES = {"long": 9_000, "short": 4_321}

for name, (settings, normalise) in VARIANTS.items():
    cfg = OmegaConf.merge(OmegaConf.structured(HubertConfig), {**SETTINGS, **settings})
    task = types.SimpleNamespace(sample_rate=16_000, fine_tuning=False)
    model = HubertModel(cfg, task, [range(5)])
    tensors = common.fill(model)
    states = {}
    for utterance, samples in UTTERANCES.items():
        wave = torch.from_numpy(common.waveform(utterance, samples))
        if normalise:
            wave = torch.nn.functional.layer_norm(wave, wave.shape)
        with torch.no_grad():
            found = []
            entry = model.encoder.layers[0].register_forward_pre_hook(lambda layer, inputs: found.append(inputs[0]))
            handles = [
                layer.register_forward_hook(lambda layer, inputs, output: found.append(output[0]))
                for layer in model.encoder.layers
            ]
            result = model.forward(wave[None], mask=False, features_only=True)["x"]
            for handle in (entry, *handles):
                handle.remove()
        # Blocks work on [frame, batch, dim], padded to a multiple of two frames.
        frames = result.shape[1]
        states[utterance] = [state[:frames, 0] for state in found[:-1]] + [result[0]]
    description = dict(script="hubert_fairseq.py", tensors=tensors, utterances=UTTERANCES)
    common.write(name, states, description, fairseq_reference.VERSIONS)
    model_cfg = {**OmegaConf.to_container(cfg, resolve=False, enum_to_str=True), "_name": "hubert"}
    checkpoint = {
        "args": None,
        "cfg": {"_name": None, "model": model_cfg, "task": {"_name": "hubert_pretraining", "normalize": normalise}},
        "model": model.state_dict(),
        "extra_state": {"epoch": 1},
    }
    common.save_checkpoint(checkpoint, name)
