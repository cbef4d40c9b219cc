"""Goldens of data2vec 2.0, by fairseq: hidden states and a real checkpoint file each.

    FAIRSEQ=<checkout> /opt/parity/bin/python parity/encoder/data2vec2.py
"""

import fairseq_reference  # first: it makes fairseq importable

import torch
from examples.data2vec.data.modality import Modality
from examples.data2vec.models.data2vec2 import Data2VecMultiConfig, Data2VecMultiModel
from omegaconf import OmegaConf

import common

MODEL = dict(
    depth=2,
    num_heads=4,
    norm_eps=1e-5,
    embed_dim=16,
    mlp_ratio=2.0,
    max_update=1,
    ema_anneal_end_step=1,
    seed=1,
    supported_modality="AUDIO",
    skip_ema=True,
)
AUDIO = dict(
    feature_encoder_spec="[(8, 10, 5)] + [(8, 3, 2)] * 4 + [(8,2,2)] + [(12,2,2)]",
    conv_pos_depth=5,
    conv_pos_width=25,
    conv_pos_groups=4,
    prenet_depth=0,
    use_alibi_encoder=True,
    learned_alibi_scale=True,
    learned_alibi_scale_per_head=True,
    num_alibi_heads=4,
    model_depth=2,
    decoder=dict(decoder_dim=8, decoder_groups=4, decoder_kernel=3, decoder_layers=1),
)
VARIANTS = {
    # As base: no prenet, one scale a head.
    "data2vec2-base": ({}, {}),
    # As large: prenet blocks; heads that are no power of two.
    "data2vec2-large": (dict(num_heads=6, embed_dim=24), dict(prenet_depth=2, num_alibi_heads=6)),
    # What no release has, but configurations may: norms first, scales by block, a norm before the positions.
    "data2vec2-other": (
        dict(layer_norm_first=True),
        dict(prenet_depth=1, learned_alibi_scale_per_layer=True, conv_pos_pre_ln=True, extractor_mode="default"),
    ),
}
UTTERANCES = {"long": 9_000, "short": 4_321}


def states_of(model, wave):
    """The input of the first block and the output of every one; the last as the model returns it."""
    found = []

    def hook(block, inputs, output):
        if not found:
            found.append(inputs[0])
        found.append(output[0])

    encoder = model.modality_encoders["AUDIO"]
    hooks = [block.register_forward_hook(hook) for block in (*encoder.context_encoder.blocks, *model.blocks)]
    with torch.no_grad():
        source = torch.nn.functional.layer_norm(wave, wave.shape)[None]
        result = model(source, mask=False, features_only=True)["x"]
    for handle in hooks:
        handle.remove()
    tokens = encoder.modality_cfg.num_extra_tokens
    return [state[0, tokens:] for state in found[:-1]] + [result[0]]


if __name__ == "__main__":
    for name, (model_settings, audio_settings) in VARIANTS.items():
        settings = {**MODEL, **model_settings, "modalities": {"audio": {**AUDIO, **audio_settings}}}
        cfg = OmegaConf.merge(OmegaConf.structured(Data2VecMultiConfig), settings)
        model = Data2VecMultiModel(cfg, [Modality.AUDIO], skip_ema=True)
        tensors = common.fill(model)
        waves = {u: torch.from_numpy(common.waveform(u, n)) for u, n in UTTERANCES.items()}
        states = {utterance: states_of(model, wave) for utterance, wave in waves.items()}
        description = dict(script="data2vec2.py", tensors=tensors, utterances=UTTERANCES)
        common.write(name, states, description, fairseq_reference.VERSIONS)
        # As fairseq's trainer saves it.
        model_cfg = {**OmegaConf.to_container(cfg, resolve=False, enum_to_str=True), "_name": "data2vec_multi"}
        for unresolved in ("image", "text"):
            model_cfg["modalities"].pop(unresolved)
        checkpoint = {
            "args": None,
            "cfg": {"_name": None, "model": model_cfg, "task": {"_name": "audio_pretraining", "normalize": True}},
            "model": model.state_dict(),
            "optimizer_history": [],
            "extra_state": {"epoch": 1},
        }
        common.save_checkpoint(checkpoint, name)
