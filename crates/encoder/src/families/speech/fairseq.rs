//! fairseq's names and settings for the family, translated to those of transformers.
//!
//! The correspondence is that of `convert_*_original_pytorch_checkpoint_to_pytorch.py` in
//! transformers 5.23; the settings are those of fairseq 3d262bb, `Wav2Vec2Config` and
//! `HubertConfig`, and of the flat `cfg` in Microsoft's WavLM checkpoints.

use super::config::Kind;
use crate::conv_spec;
use serde_json::{Value, json};

/// A translated fairseq configuration.
pub(crate) struct Translated {
    pub(crate) kind: Kind,
    /// With transformers' keys.
    pub(crate) config: Value,
    /// Whether waveforms are normalised; `None` if not specified.
    pub(crate) normalise: Option<bool>,
}

/// Reads the configuration object of a fairseq checkpoint: a `cfg` with parts `model` and `task`, a flat `args`, or a
/// fine-tuned model that contains the pre-trained one's in `w2v_args`; or the same parts as S3PRL stores them, `model_cfg` and
/// `task_cfg`. `None` if it is of another architecture.
pub(crate) fn translate_config(config: &Value) -> Option<Translated> {
    if let Some(model) = config.get("model_cfg").filter(|model| model.is_object()) {
        let mut model = model.clone();
        if model.get("_name").is_none() {
            // Keys that only one of fairseq's configurations has; data2vec's extends wav2vec 2.0's.
            let fields = [
                ("label_rate", "hubert"),
                ("average_top_k_layers", "data2vec_audio"),
                ("quantize_targets", "wav2vec2"),
            ];
            let known = fields
                .iter()
                .find(|(field, _)| model.get(field).is_some())?;
            model["_name"] = known.1.into();
        }
        return translate_config(&json!({"model": model, "task": config.get("task_cfg")}));
    }
    let config = config
        .get("cfg")
        .or_else(|| config.get("args"))
        .unwrap_or(config);
    let model = config
        .get("model")
        .filter(|model| model.is_object())
        .unwrap_or(config);
    if let Some(inner) = model.get("w2v_args").filter(|inner| inner.is_object()) {
        return translate_config(inner);
    }
    let text = |key: &str| model.get(key).and_then(Value::as_str);
    let flag = |key: &str| model.get(key).and_then(Value::as_bool).unwrap_or(false);
    let kind = match text("_name").or_else(|| text("arch")) {
        Some("wav2vec2") => Kind::Wav2Vec2,
        Some("hubert") => Kind::Hubert,
        Some("data2vec_audio") => Kind::Data2VecAudio,
        // BEATs has the same flat configuration, but patches of a spectrum instead of a waveform.
        None if flag("relative_position_embedding") && model.get("input_patch_size").is_none() => {
            Kind::WavLm
        }
        _ => return None,
    };
    let mut out = json!({
        "do_stable_layer_norm": flag("layer_norm_first"),
        "conv_bias": flag("conv_bias"),
        "feat_extract_norm": if text("extractor_mode") == Some("layer_norm") { "layer" } else { "group" },
        "hidden_act": text("activation_fn").unwrap_or("gelu"),
        "conv_dim": [512, 512, 512, 512, 512, 512, 512],
    });
    let mut carry = |from: &str, to: &str| {
        if let Some(value) = model.get(from) {
            out[to] = value.clone();
        }
    };
    carry("encoder_embed_dim", "hidden_size");
    carry("encoder_layers", "num_hidden_layers");
    carry("encoder_attention_heads", "num_attention_heads");
    carry("encoder_ffn_embed_dim", "intermediate_size");
    carry("conv_pos_groups", "num_conv_pos_embedding_groups");
    carry("num_buckets", "num_buckets");
    carry("max_distance", "max_bucket_distance");
    carry("conv_pos_batch_norm", "conv_pos_batch_norm");
    let number = |key: &str| model.get(key).and_then(Value::as_u64);
    match (kind, number("pos_conv_depth").filter(|&depth| depth > 1)) {
        (Kind::Data2VecAudio, depth) => {
            let (depth, width) = (depth.unwrap_or(5), number("conv_pos").unwrap_or(95));
            out["num_conv_pos_embeddings"] = depth.into();
            out["conv_pos_kernel_size"] = (width / depth).max(3).into();
        }
        // wav2vec 2.0 with a positional stack has no counterpart in transformers.
        (_, Some(_)) => return None,
        (_, None) => out["num_conv_pos_embeddings"] = number("conv_pos").unwrap_or(128).into(),
    }
    if let Some(spec) = text("conv_feature_layers") {
        let layers = conv_spec::parse(spec)?;
        let list = |part: fn(&crate::parts::ConvLayer) -> usize| {
            Value::from(layers.iter().map(part).collect::<Vec<_>>())
        };
        out["conv_dim"] = list(|layer| layer.dim);
        out["conv_kernel"] = list(|layer| layer.kernel);
        out["conv_stride"] = list(|layer| layer.stride);
    }
    let normalise = config
        .pointer("/task/normalize")
        .or_else(|| config.get("normalize"))
        .or_else(|| model.get("normalize"))
        .and_then(Value::as_bool);
    Some(Translated {
        kind,
        config: out,
        normalise,
    })
}

/// transformers' name of a tensor in fairseq's spelling.
pub(crate) fn spell_fairseq(name: &str) -> String {
    const BLOCK: [(&str, &str); 8] = [
        ("attention.gru_rel_pos_linear.", "self_attn.grep_linear."),
        ("attention.gru_rel_pos_const", "self_attn.grep_a"),
        (
            "attention.rel_attn_embed.",
            "self_attn.relative_attention_bias.",
        ),
        ("attention.", "self_attn."),
        ("layer_norm.", "self_attn_layer_norm."),
        ("feed_forward.intermediate_dense.", "fc1."),
        ("feed_forward.output_dense.", "fc2."),
        ("final_layer_norm.", "final_layer_norm."),
    ];
    if let Some(rest) = name.strip_prefix("encoder.layers.")
        && let Some((index, part)) = rest.split_once('.')
    {
        let block = BLOCK.iter().find_map(|(from, to)| {
            part.strip_prefix(from)
                .map(|tail| format!("encoder.layers.{index}.{to}{tail}"))
        });
        return block.unwrap_or_else(|| name.to_owned());
    }
    if let Some(rest) = name.strip_prefix("feature_extractor.conv_layers.")
        && let Some((index, part)) = rest.split_once('.')
    {
        let part = part.replace("conv.", "0.").replace("layer_norm.", "2.");
        return format!("feature_extractor.conv_layers.{index}.{part}");
    }
    if let Some(rest) = name.strip_prefix("encoder.pos_conv_embed.layers.") {
        return format!("encoder.pos_conv.{}", rest.replace(".conv.", ".0."));
    }
    if let Some(part) = name.strip_prefix("encoder.pos_conv_embed.conv.") {
        return format!("encoder.pos_conv.0.{part}");
    }
    if let Some(part) = name.strip_prefix("feature_projection.projection.") {
        return format!("post_extract_proj.{part}");
    }
    if let Some(part) = name.strip_prefix("feature_projection.layer_norm.") {
        return format!("layer_norm.{part}");
    }
    name.to_owned()
}

/// [`spell_fairseq`] where every convolution has a layer norm, wrapped in transpositions.
pub(crate) fn spell_fairseq_layer_norm(name: &str) -> String {
    let spelt = spell_fairseq(name);
    match name.starts_with("feature_extractor.") && name.contains(".layer_norm.") {
        true => spelt
            .replace(".2.weight", ".2.1.weight")
            .replace(".2.bias", ".2.1.bias"),
        false => spelt,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_fairseq() {
        for (ours, theirs) in [
            (
                "feature_extractor.conv_layers.2.conv.weight",
                "feature_extractor.conv_layers.2.0.weight",
            ),
            (
                "feature_extractor.conv_layers.0.layer_norm.bias",
                "feature_extractor.conv_layers.0.2.bias",
            ),
            ("feature_projection.layer_norm.weight", "layer_norm.weight"),
            (
                "feature_projection.projection.bias",
                "post_extract_proj.bias",
            ),
            (
                "encoder.pos_conv_embed.conv.weight_g",
                "encoder.pos_conv.0.weight_g",
            ),
            (
                "encoder.pos_conv_embed.layers.3.conv.bias",
                "encoder.pos_conv.3.0.bias",
            ),
            (
                "encoder.layers.7.attention.out_proj.bias",
                "encoder.layers.7.self_attn.out_proj.bias",
            ),
            (
                "encoder.layers.7.layer_norm.bias",
                "encoder.layers.7.self_attn_layer_norm.bias",
            ),
            (
                "encoder.layers.7.final_layer_norm.bias",
                "encoder.layers.7.final_layer_norm.bias",
            ),
            (
                "encoder.layers.7.feed_forward.output_dense.bias",
                "encoder.layers.7.fc2.bias",
            ),
            (
                "encoder.layers.0.attention.gru_rel_pos_const",
                "encoder.layers.0.self_attn.grep_a",
            ),
            ("encoder.layer_norm.weight", "encoder.layer_norm.weight"),
        ] {
            assert_eq!(spell_fairseq(ours), theirs);
        }
        assert_eq!(
            spell_fairseq_layer_norm("feature_extractor.conv_layers.2.layer_norm.bias"),
            "feature_extractor.conv_layers.2.2.1.bias"
        );
        assert_eq!(
            spell_fairseq_layer_norm("feature_projection.layer_norm.bias"),
            "layer_norm.bias"
        );
    }

    #[test]
    fn settings_are_translated() {
        let config = json!({"cfg": {
            "task": {"normalize": true},
            "model": {"_name": "data2vec_audio", "encoder_embed_dim": 1024, "pos_conv_depth": 5,
                      "conv_pos": 95, "extractor_mode": "layer_norm",
                      "conv_feature_layers": "[(512, 10, 5)] + [(512,2,2)]"}}});
        let translated = translate_config(&config).unwrap();
        assert_eq!(translated.kind, Kind::Data2VecAudio);
        assert_eq!(translated.normalise, Some(true));
        assert_eq!(translated.config["conv_pos_kernel_size"], 19);
        assert_eq!(translated.config["num_conv_pos_embeddings"], 5);
        assert_eq!(translated.config["conv_kernel"], json!([10, 2]));
        assert_eq!(translated.config["hidden_size"], 1024);
        let fine_tuned = json!({"model": {"_name": "wav2vec_ctc", "w2v_args":
            {"model": {"_name": "hubert"}, "task": {"normalize": false}}}});
        assert_eq!(translate_config(&fine_tuned).unwrap().kind, Kind::Hubert);
        assert!(translate_config(&json!({"model": {"_name": "roberta"}})).is_none());
        let beats = json!({"relative_position_embedding": true, "input_patch_size": 16});
        assert!(translate_config(&json!({"cfg": beats})).is_none());
        for (field, kind) in [
            ("average_top_k_layers", Kind::Data2VecAudio),
            ("quantize_targets", Kind::Wav2Vec2),
        ] {
            let s3prl = json!({"model_cfg": {field: 1}, "task_cfg": {"normalize": true}});
            let translated = translate_config(&s3prl).unwrap();
            assert_eq!((translated.kind, translated.normalise), (kind, Some(true)));
        }
    }
}
