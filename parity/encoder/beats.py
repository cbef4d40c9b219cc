"""Goldens of BEATs, by Microsoft's own code, with real checkpoint files.

    UNILM=<checkout> /opt/parity/bin/python parity/encoder/beats.py

UNILM names a checkout of https://github.com/microsoft/unilm at COMMIT, of which the folder `beats` is used as it is.
"""

import common  # first: it lets torchaudio load

import os
import pathlib
import sys

import torch

COMMIT = "768a3c873f598bb9b4d4dfb9267b099e35f8fe56"
ROOT = os.environ.get("UNILM")
if not ROOT:
    sys.exit(f"set UNILM to a checkout of unilm at {COMMIT}")
sys.path.insert(0, f"{ROOT}/beats")

from BEATs import BEATs, BEATsConfig  # noqa: E402

VERSIONS = {"unilm": COMMIT}
# What every release has; sizes are those of BEATsConfig.
RELEASED = dict(
    input_patch_size=16, embed_dim=512, deep_norm=True, relative_position_embedding=True, num_buckets=320, max_distance=800, gru_rel_pos=True
)
SMALL = dict(
    embed_dim=12,
    encoder_layers=2,
    encoder_embed_dim=16,
    encoder_ffn_embed_dim=24,
    encoder_attention_heads=4,
    conv_pos=16,
    conv_pos_groups=4,
)
VARIANTS = {
    "beats": SMALL,
    # A fine-tuned one, whose predictor is of AudioSet's classes.
    "beats-tuned": {**SMALL, "finetuned_model": True, "predictor_class": 5},
    "beats-other": {
        **SMALL,
        **dict(embed_dim=16, deep_norm=False, layer_norm_first=True, conv_bias=True, activation_fn="relu", num_buckets=32, max_distance=20),
    },
    "beats-plain": {**SMALL, **dict(deep_norm=False, relative_position_embedding=False, gru_rel_pos=False)},
}
UTTERANCES = {"long": 30_000, "short": 4_321, "least": 2_800}


def made(settings):
    config = {**RELEASED, **settings}
    model = BEATs(BEATsConfig(config))
    common.fill(model)
    if config["relative_position_embedding"]:
        # One table, which every block lists under its own name.
        name = "encoder.layers.0.self_attn.relative_attention_bias.weight"
        table = dict(model.named_parameters())[name]
        table.data.copy_(common.tensor(name, tuple(table.shape)))
    return model, config


def states_of(model, wave):
    """The entry of the first block, then what each block yields; the last as the encoder gives it."""
    found = []
    entry = model.encoder.layers[0].register_forward_pre_hook(lambda layer, inputs: found.append(inputs[0][:, 0]))
    handles = [layer.register_forward_hook(lambda layer, inputs, output: found.append(output[0][:, 0])) for layer in model.encoder.layers]
    predictor, model.predictor = model.predictor, None
    with torch.no_grad():
        last = model.extract_features(torch.from_numpy(wave)[None])[0][0]
    model.predictor = predictor
    for handle in (entry, *handles):
        handle.remove()
    return [*found[:-1], last]


def full_size(folder, wave, settings):
    model, config = made(settings)
    path = pathlib.Path(folder) / "BEATs.pt"
    torch.save({"cfg": config, "model": model.state_dict()}, path)
    return path, [state.numpy() for state in states_of(model, wave)]


if __name__ == "__main__":
    for name, settings in VARIANTS.items():
        model, config = made(settings)
        states = {utterance: states_of(model, common.waveform(utterance, samples)) for utterance, samples in UTTERANCES.items()}
        common.write(name, states, dict(script="beats.py", utterances=UTTERANCES), VERSIONS)
        common.save_checkpoint({"cfg": config, "model": model.state_dict()}, name)
