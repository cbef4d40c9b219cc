"""Goldens of emotion2vec, by FunASR: hidden states, scores of the head, and its config.yaml.

    /opt/parity/bin/python parity/encoder/emotion2vec.py
"""

import funasr_reference  # first: it makes FunASR importable

import numpy as np
import torch
import yaml

import common

MODEL = dict(
    loss_beta=0.0,
    loss_scale=None,
    depth=2,
    start_drop_path_rate=0.0,
    end_drop_path_rate=0.0,
    num_heads=4,
    norm_eps=1e-05,
    norm_affine=True,
    encoder_dropout=0.1,
    post_mlp_drop=0.1,
    attention_dropout=0.1,
    activation_dropout=0.0,
    dropout_input=0.0,
    layerdrop=0.05,
    embed_dim=32,
    mlp_ratio=2.0,
    layer_norm_first=False,
    average_top_k_layers=8,
    end_of_block_targets=False,
    normalize=True,
)
AUDIO = dict(
    type="AUDIO",
    prenet_depth=1,
    prenet_layerdrop=0.05,
    prenet_dropout=0.1,
    start_drop_path_rate=0.0,
    end_drop_path_rate=0.0,
    num_extra_tokens=3,
    init_extra_token_zero=True,
    mask_prob=0.5,
    mask_length=5,
    local_grad_mult=1.0,
    use_alibi_encoder=True,
    alibi_scale=1.0,
    learned_alibi=False,
    alibi_max_pos=None,
    learned_alibi_scale=True,
    learned_alibi_scale_per_head=True,
    learned_alibi_scale_per_layer=False,
    num_alibi_heads=4,
    model_depth=2,
    extractor_mode="layer_norm",
    feature_encoder_spec="[(16, 10, 5)] + [(16, 3, 2)] * 4 + [(16,2,2)] + [(24,2,2)]",
    conv_pos_width=95,
    conv_pos_groups=4,
    conv_pos_depth=5,
    conv_pos_pre_ln=False,
    decoder=None,
)
LABELS = ["生气/angry", "开心/happy", "中立/neutral", "unuse_0", "<unk>"]
# Fine-tuned models have a head; the pre-trained one has none.
VARIANTS = {"emotion2vec-plus": len(LABELS), "emotion2vec-base": -1}
UTTERANCES = {"long": 30_000, "short": 4_321}

for name, classes in VARIANTS.items():
    settings = {**MODEL, "modalities": {"audio": AUDIO}}
    model = funasr_reference.Emotion2vec(model_conf=settings, vocab_size=classes)
    tensors = common.fill(model)
    states, scores = {}, {}
    blocks = (*model.modality_encoders["AUDIO"].context_encoder.blocks, *model.blocks)
    for utterance, samples in UTTERANCES.items():
        wave = torch.from_numpy(common.waveform(utterance, samples))
        found = []
        handles = [blocks[0].register_forward_pre_hook(lambda block, inputs: found.append(inputs[0]))]
        handles += [block.register_forward_hook(lambda block, inputs, output: found.append(output[0])) for block in blocks]
        with torch.no_grad():
            source = torch.nn.functional.layer_norm(wave, wave.shape)[None]
            result = model.extract_features(source, padding_mask=None)["x"]
            if model.proj is not None:
                # As Emotion2vec.inference does.
                logits = model.proj(result.mean(dim=1))
                logits[:, [label.startswith("unuse") for label in LABELS]] = -np.inf
                scores[utterance] = torch.softmax(logits, dim=-1)[0].tolist()
        for handle in handles:
            handle.remove()
        tokens = AUDIO["num_extra_tokens"]
        states[utterance] = [state[0, tokens:] for state in found[:-1]] + [result[0]]
    document = {"model": "Emotion2vec", "model_conf": settings, "tokenizer": "CharTokenizer"}
    description = dict(
        script="emotion2vec.py",
        yaml=yaml.safe_dump(document, sort_keys=False),
        labels=LABELS,
        scores=scores,
        tensors=tensors,
        utterances=UTTERANCES,
    )
    common.write(name, states, description, funasr_reference.VERSIONS)
