"""Goldens of Whisper's encoder, by transformers, and the same weights as OpenAI's own files hold them.

    /opt/parity/bin/python parity/encoder/whisper.py
"""

import common  # first: it lets transformers load

import torch
import transformers
from transformers import WhisperConfig, WhisperFeatureExtractor
from transformers.models.whisper.modeling_whisper import WhisperEncoder

VARIANTS = {"whisper-80": 80, "whisper-128": 128}
UTTERANCES = {"long": 9_000, "short": 4_321}
# transformers' names in OpenAI's spelling (the reverse of convert_openai_to_hf.py).
OPENAI = {
    "self_attn.q_proj": "attn.query",
    "self_attn.k_proj": "attn.key",
    "self_attn.v_proj": "attn.value",
    "self_attn.out_proj": "attn.out",
    "self_attn_layer_norm": "attn_ln",
    "final_layer_norm": "mlp_ln",
    "layer_norm": "ln_post",
    "embed_positions.weight": "positional_embedding",
    "layers": "blocks",
    "fc1": "mlp.0",
    "fc2": "mlp.2",
}


def openai_name(name):
    for ours, theirs in OPENAI.items():
        name = name.replace(ours, theirs)
    return f"encoder.{name}"


for name, bins in VARIANTS.items():
    config = WhisperConfig(
        d_model=16,
        encoder_layers=2,
        encoder_attention_heads=4,
        encoder_ffn_dim=64,
        num_mel_bins=bins,
        attn_implementation="eager",
    )
    model = WhisperEncoder(config)
    tensors = common.fill(model)
    extractor = WhisperFeatureExtractor(feature_size=bins)
    states = {}
    for utterance, samples in UTTERANCES.items():
        wave = common.waveform(utterance, samples)
        features = extractor(wave, sampling_rate=16_000, return_tensors="pt").input_features
        with torch.no_grad():
            output = model(features, output_hidden_states=True)
        kept = (*output.hidden_states[:-1], output.last_hidden_state)
        states[utterance] = [state[0, : samples // 320] for state in kept]
    settings = {key: value for key, value in config.to_dict().items() if key != "_name_or_path"}
    description = dict(script="whisper.py", config=settings, tensors=tensors, utterances=UTTERANCES)
    common.write(name, states, description, {"transformers": transformers.__version__})
    dims = dict(n_mels=bins, n_audio_ctx=1500, n_audio_state=16, n_audio_head=4, n_audio_layer=2, n_vocab=5, n_text_ctx=4)
    state = {openai_name(key): value for key, value in model.state_dict().items()}
    state["decoder.token_embedding.weight"] = torch.zeros(5, 16)
    common.save_checkpoint({"dims": dims, "model_state_dict": state}, name)
