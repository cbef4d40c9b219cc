"""Goldens of MERT (24 kHz), by transformers' HuBERT with what MERT's published code changes in it.

    /opt/parity/bin/python parity/encoder/mert.py

The changes are those of `modeling_MERT.py` beside the weights of m-a-p/MERT-v1-95M and m-a-p/MERT-v1-330M:
* `deepnorm` weights both residuals of a block by (2 · blocks) ** 0.25, and is for blocks that normalise after their sums;
* `attention_relax` divides scores by a number, takes off their largest and multiplies by the number again, which no softmax notices
  (and is used beside `deepnorm` alone: the 330M model, whose configuration says 32, has neither);
* `feature_extractor_cqt` puts a constant-Q transform beside the convolutions. No release has it, and it is refused.
"""

import common  # first: it lets transformers load

import torch
import transformers
from transformers import HubertConfig, HubertModel, Wav2Vec2FeatureExtractor

RATE = 24_000
SMALL = dict(
    hidden_size=24,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=48,
    conv_dim=[12, 12, 12, 12, 12, 12, 16],
    num_conv_pos_embeddings=16,
    num_conv_pos_embedding_groups=4,
    attn_implementation="eager",
)
STABLE = dict(feat_extract_norm="layer", do_stable_layer_norm=True)
VARIANTS = {
    "mert": (dict(attention_relax=-1.0), True),
    "mert-large": (dict(**STABLE, attention_relax=32.0), True),
    "mert-deepnorm": (dict(deepnorm=True, attention_relax=32.0), False),
}
UTTERANCES = {"long": 13_500, "short": 6_481}


class Weighted(torch.nn.Module):
    """A block of `HubertEncoderLayerExtend`: transformers' block with weighted residuals."""

    def __init__(self, layer, alpha):
        super().__init__()
        self.layer, self.alpha = layer, alpha

    def forward(self, x, **_):
        layer, alpha = self.layer, self.alpha
        x = layer.layer_norm(x * alpha + layer.attention(x)[0])
        return layer.final_layer_norm(x * alpha + layer.feed_forward(x))


def made(settings):
    model = HubertModel(HubertConfig(**settings))
    tensors = common.fill(model)
    layers = list(model.encoder.layers)
    if settings.get("deepnorm"):
        alpha = (2.0 * len(layers)) ** 0.25
        model.encoder.layers = torch.nn.ModuleList(Weighted(layer, alpha) for layer in layers)
        model.eval()
    return model, tensors


def states_of(model, inputs):
    """The entry of the first block, then what each yields; the last as the encoder gives it."""
    found = []
    layers = model.encoder.layers
    entry = layers[0].register_forward_pre_hook(lambda layer, inputs: found.append(inputs[0][0]))
    first = lambda output: output[0] if isinstance(output, tuple) else output
    handles = [layer.register_forward_hook(lambda layer, inputs, output: found.append(first(output)[0])) for layer in layers]
    with torch.no_grad():
        last = model(inputs).last_hidden_state[0]
    for handle in (entry, *handles):
        handle.remove()
    return [*found[:-1], last]


def configuration(settings):
    keep = {key: value for key, value in settings.items() if key != "attn_implementation"}
    names = {"AutoConfig": "configuration_MERT.MERTConfig", "AutoModel": "modeling_MERT.MERTModel"}
    return {"architectures": ["MERTModel"], "auto_map": names, "model_type": "mert_model", "sample_rate": RATE, "feature_extractor_cqt": False, **keep}


def preprocessor(normalise):
    return {"do_normalize": normalise, "feature_extractor_type": "Wav2Vec2FeatureExtractor", "feature_size": 1, "sampling_rate": RATE}


def full_size(folder, wave, settings):
    import json
    import pathlib

    model, _ = made({**settings, "attn_implementation": "eager"})
    extractor = Wav2Vec2FeatureExtractor(do_normalize=True, sampling_rate=RATE)
    inputs = extractor(wave, sampling_rate=RATE, return_tensors="pt").input_values
    folder = pathlib.Path(folder)
    (folder / "config.json").write_text(json.dumps(configuration(settings)))
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor(True)))
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    return folder, [state.numpy() for state in states_of(model, inputs)]


if __name__ == "__main__":
    for name, (settings, normalise) in VARIANTS.items():
        settings = {**SMALL, **settings}
        model, tensors = made(settings)
        extractor = Wav2Vec2FeatureExtractor(do_normalize=normalise, sampling_rate=RATE)
        states = {}
        for utterance, samples in UTTERANCES.items():
            inputs = extractor(common.waveform(utterance, samples), sampling_rate=RATE, return_tensors="pt").input_values
            states[utterance] = states_of(model, inputs)
        config, processor = configuration(settings), preprocessor(normalise)
        description = dict(script="mert.py", config=config, preprocessor=processor, tensors=tensors, utterances=UTTERANCES)
        common.write(name, states, description, {"transformers": transformers.__version__})
        if name == "mert":
            # For the tests of what hears recordings, which make no weights.
            common.save_checkpoint(model.state_dict(), name)
