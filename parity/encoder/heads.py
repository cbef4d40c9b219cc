"""Goldens of the heads that come with checkpoints: the logits of transformers' classes, of audEERING's and of SpeechBrain's layout.

    /opt/parity/bin/python parity/encoder/heads.py

Where an encoder normalises its last state alone ("stable layer norm"), a weighted sum takes this state normalised, as S3PRL, with which
such heads were trained, and transformers 4 do. transformers 5 takes it before its norm; without weights the two agree.

audEERING's `EmotionModel` is a class of its model card and SpeechBrain's pipeline a list of modules; both are written out here.
"""

import common  # first: it lets transformers load

import torch
import transformers
from transformers import (
    HubertConfig,
    HubertForSequenceClassification,
    SeamlessM4TFeatureExtractor,
    Wav2Vec2BertConfig,
    Wav2Vec2BertForSequenceClassification,
    Wav2Vec2Config,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForSequenceClassification,
    Wav2Vec2Model,
    WavLMConfig,
    WavLMForSequenceClassification,
)
from transformers.models.wav2vec2.modeling_wav2vec2 import Wav2Vec2PreTrainedModel

SHAPE = dict(
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=48,
    classifier_proj_size=12,
    attn_implementation="eager",
)
WAVES = dict(conv_dim=[16, 16, 16, 16, 16, 16, 24], num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4)
STABLE = dict(feat_extract_norm="layer", do_stable_layer_norm=True)
CLASSES = {0: "neu", 1: "hap", 2: "ang", 3: "sad"}
UTTERANCES = {"long": 9_000, "short": 4_321}


class RegressionHead(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.dense = torch.nn.Linear(config.hidden_size, config.hidden_size)
        self.out_proj = torch.nn.Linear(config.hidden_size, config.num_labels)

    def forward(self, features):
        return self.out_proj(torch.tanh(self.dense(features)))


class EmotionModel(Wav2Vec2PreTrainedModel):
    """As the card of audeering/wav2vec2-large-robust-12-ft-emotion-msp-dim defines it."""

    def __init__(self, config):
        super().__init__(config)
        self.wav2vec2 = Wav2Vec2Model(config)
        self.classifier = RegressionHead(config)
        self.post_init()

    def forward(self, input_values):
        return self.classifier(self.wav2vec2(input_values)[0].mean(1))


class SpeechBrain(torch.nn.Module):
    """HuggingFaceWav2Vec2 with output_norm, StatisticsPooling(return_std=False), Linear(bias=False)."""

    def __init__(self, config):
        super().__init__()
        self.model = Wav2Vec2Model(config)
        self.output_mlp = torch.nn.Linear(config.hidden_size, 4, bias=False)

    def forward(self, input_values):
        out = self.model(input_values)[0]
        return self.output_mlp(torch.nn.functional.layer_norm(out, out.shape[1:]).mean(1))


def weighted(model, encoder, inputs):
    with torch.no_grad():
        output = getattr(model, encoder)(**inputs, output_hidden_states=True)
        states = torch.stack((*output.hidden_states[:-1], output.last_hidden_state), 1)
        weights = torch.softmax(model.layer_weights, -1).view(-1, 1, 1)
        return model.classifier(model.projector((states * weights).sum(1)).mean(1))


HEADS = {
    "head-wav2vec2": (Wav2Vec2Config, Wav2Vec2ForSequenceClassification, dict(**WAVES, use_weighted_layer_sum=True, id2label=CLASSES)),
    "head-hubert": (HubertConfig, HubertForSequenceClassification, dict(**WAVES, **STABLE, id2label=CLASSES)),
    "head-wavlm": (WavLMConfig, WavLMForSequenceClassification, dict(**WAVES, **STABLE, use_weighted_layer_sum=True, num_labels=3)),
    "head-w2v-bert": (Wav2Vec2BertConfig, Wav2Vec2BertForSequenceClassification, dict(use_weighted_layer_sum=True, id2label=CLASSES)),
    "head-audeering": (
        Wav2Vec2Config,
        EmotionModel,
        dict(**WAVES, **STABLE, id2label={0: "arousal", 1: "dominance", 2: "valence"}, problem_type="regression"),
    ),
    "head-speechbrain": (Wav2Vec2Config, SpeechBrain, WAVES),
}

if __name__ == "__main__":
    for name, (config_class, model_class, settings) in HEADS.items():
        config = config_class(**{**SHAPE, **settings})
        model = model_class(config)
        tensors = common.fill(model)
        if model_class is Wav2Vec2BertForSequenceClassification:
            extractor = SeamlessM4TFeatureExtractor()
            preprocessor = {"num_mel_bins": 80, "stride": 2, "sampling_rate": 16_000}
        else:
            extractor = Wav2Vec2FeatureExtractor(do_normalize=True)
            preprocessor = {"do_normalize": True, "sampling_rate": 16_000}
        logits = {}
        for utterance, samples in UTTERANCES.items():
            wave = common.waveform(utterance, samples)
            inputs = dict(extractor(wave, sampling_rate=16_000, return_tensors="pt"))
            if model_class is not Wav2Vec2BertForSequenceClassification:
                inputs.pop("attention_mask", None)
            with torch.no_grad():
                output = model(**inputs)
            logits[utterance] = [output if isinstance(output, torch.Tensor) else output.logits]
            if settings.get("use_weighted_layer_sum") and settings.get("do_stable_layer_norm"):
                logits[utterance] = [weighted(model, model_class.base_model_prefix, inputs)]
        settings = {key: value for key, value in config.to_dict().items() if key != "_name_or_path"}
        description = dict(script="heads.py", config=settings, preprocessor=preprocessor, tensors=tensors, utterances=UTTERANCES)
        common.write(name, logits, description, {"transformers": transformers.__version__})
        if name in ("head-wav2vec2", "head-audeering"):
            # For the tests of the command line, which make no weights.
            common.save_checkpoint(model.state_dict(), name)
