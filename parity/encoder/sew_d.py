"""Goldens of SEW-D, by transformers.

    /opt/parity/bin/python parity/encoder/sew_d.py

The blocks work on means of `squeeze_factor` frames; what one yields for such a mean stands for each of its frames. After the last
block the frames are made again. Frames at the end that fill no mean, which transformers fills up with zeros, are left out.
"""

import common  # first: it lets transformers load

import torch
import transformers
from transformers import SEWDConfig, SEWDModel, Wav2Vec2FeatureExtractor

SMALL = dict(
    hidden_size=24,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=48,
    conv_dim=[8, 12, 12, 16],
    conv_kernel=[10, 8, 1, 8],
    conv_stride=[5, 8, 1, 8],
    num_conv_pos_embeddings=16,
    num_conv_pos_embedding_groups=4,
    position_buckets=8,
    max_position_embeddings=20,
    attn_implementation="eager",
)
VARIANTS = {
    "sew-d": {},
    "sew-d-other": dict(
        squeeze_factor=3,
        conv_dim=[8, 12, 12, 24],
        feat_extract_norm="layer",
        conv_bias=True,
        share_att_key=False,
        norm_rel_ebd="none",
        position_buckets=-1,
        max_position_embeddings=6,
        hidden_act="relu",
        num_conv_pos_embeddings=15,
    ),
    "sew-d-near": dict(pos_att_type=["c2p"], layer_norm_eps=1e-5, squeeze_factor=1),
    "sew-d-far": dict(pos_att_type=["p2c"], share_att_key=False),
    "sew-d-none": dict(relative_attention=False, pos_att_type=[]),
}
# More keys than a tile of the positions' scores.
UTTERANCES = {"long": 13_000, "short": 4_321}
LONG = {"sew-d": {"longer": 97_000}}


def states_of(model, inputs):
    factor = model.config.squeeze_factor
    found = []
    layers = model.encoder.encoder.layer
    entry = layers[0].register_forward_pre_hook(lambda layer, inputs: found.append(inputs[0][0]))
    handles = [layer.register_forward_hook(lambda layer, inputs, output: found.append(output[0])) for layer in layers]
    with torch.no_grad():
        last = model(inputs).last_hidden_state[0]
    for handle in (entry, *handles):
        handle.remove()
    frames = len(last) // factor * factor
    return [state.repeat_interleave(factor, 0) for state in found[:-1]] + [last[:frames]]


def full_size(folder, wave, settings):
    model = SEWDModel(SEWDConfig(**settings))
    common.fill(model)
    model.save_pretrained(folder)
    extractor = Wav2Vec2FeatureExtractor(do_normalize=True)
    extractor.save_pretrained(folder)
    inputs = extractor(wave, sampling_rate=16_000, return_tensors="pt").input_values
    return folder, [state.numpy() for state in states_of(model, inputs)]


if __name__ == "__main__":
    for name, settings in VARIANTS.items():
        config = SEWDConfig(**{**SMALL, **settings})
        model = SEWDModel(config)
        tensors = common.fill(model)
        extractor = Wav2Vec2FeatureExtractor(do_normalize=True)
        states = {}
        utterances = {**UTTERANCES, **LONG.get(name, {})}
        for utterance, samples in utterances.items():
            inputs = extractor(common.waveform(utterance, samples), sampling_rate=16_000, return_tensors="pt").input_values
            states[utterance] = states_of(model, inputs)
        settings = {key: value for key, value in config.to_dict().items() if key != "_name_or_path"}
        preprocessor = {"do_normalize": True, "sampling_rate": 16_000}
        description = dict(script="sew_d.py", config=settings, preprocessor=preprocessor, tensors=tensors, utterances=utterances)
        common.write(name, states, description, {"transformers": transformers.__version__})
