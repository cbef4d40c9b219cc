"""Goldens of w2v-BERT 2.0 and of wav2vec 2.0 conformers, by transformers.

    /opt/parity/bin/python parity/encoder/conformer.py
"""

import common  # first: it lets transformers load

import torch
import transformers
from transformers import (
    SeamlessM4TFeatureExtractor,
    Wav2Vec2BertConfig,
    Wav2Vec2BertModel,
    Wav2Vec2ConformerConfig,
    Wav2Vec2ConformerModel,
    Wav2Vec2FeatureExtractor,
)

SHAPE = dict(
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=48,
    conv_depthwise_kernel_size=7,
    attn_implementation="eager",
)
WAVES = dict(conv_dim=[16, 16, 16, 16, 16, 16, 24], num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4)
NEAR = dict(left_max_position_embeddings=9, right_max_position_embeddings=3)
BERT, CONFORMER = (Wav2Vec2BertConfig, Wav2Vec2BertModel), (Wav2Vec2ConformerConfig, Wav2Vec2ConformerModel)
VARIANTS = {
    "w2v-bert": (*BERT, NEAR),
    "w2v-bert-relative": (*BERT, dict(position_embeddings_type="relative", hidden_act="gelu", layer_norm_eps=1e-3)),
    "w2v-bert-rotary": (*BERT, dict(position_embeddings_type="rotary", feature_projection_input_dim=48)),
    "w2v-bert-none": (*BERT, dict(position_embeddings_type=None)),
    "conformer-relative": (*CONFORMER, dict(**WAVES, hidden_act="swish", feat_extract_norm="layer", conv_bias=True)),
    "conformer-rotary": (*CONFORMER, dict(**WAVES, position_embeddings_type="rotary", layer_norm_eps=1e-3)),
}
UTTERANCES = {"long": 9_000, "short": 4_321}
# More keys than one chain of sums and more queries than one block.
LONG = {"w2v-bert": {"longer": 48_321}, "conformer-relative": {"longer": 48_321}}

if __name__ == "__main__":
    for name, (config_class, model_class, settings) in VARIANTS.items():
        config = config_class(**{**SHAPE, **settings})
        model = model_class(config)
        bert = model_class is Wav2Vec2BertModel
        inverse = model.encoder.embed_positions.inv_freq.clone() if "rotary" in name else None
        tensors = common.fill(model)
        if inverse is not None:
            # A table that the reference computes and keeps; made values would be no positions.
            model.encoder.embed_positions.inv_freq.copy_(inverse)
            tensors = [entry for entry in tensors if not entry[0].endswith("inv_freq")]
        if bert:
            bands = config.feature_projection_input_dim // 2
            extractor = SeamlessM4TFeatureExtractor(feature_size=bands, num_mel_bins=bands)
            preprocessor = {"num_mel_bins": bands, "stride": 2, "sampling_rate": 16_000}
        else:
            extractor = Wav2Vec2FeatureExtractor(do_normalize=True)
            preprocessor = {"do_normalize": True, "sampling_rate": 16_000}
        states = {}
        utterances = {**UTTERANCES, **LONG.get(name, {})}
        for utterance, samples in utterances.items():
            wave = common.waveform(utterance, samples)
            inputs = extractor(wave, sampling_rate=16_000, return_tensors="pt")
            if not bert:
                inputs.pop("attention_mask", None)
            with torch.no_grad():
                output = model(**inputs, output_hidden_states=True)
            frames = int(inputs["attention_mask"].sum()) if bert else output.last_hidden_state.shape[1]
            states[utterance] = [state[0, :frames] for state in (*output.hidden_states[:-1], output.last_hidden_state)]
        settings = {key: value for key, value in config.to_dict().items() if key != "_name_or_path"}
        description = dict(script="conformer.py", config=settings, preprocessor=preprocessor, tensors=tensors, utterances=utterances)
        common.write(name, states, description, {"transformers": transformers.__version__})
