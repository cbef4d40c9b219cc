//! OpenAI's own files: their settings and names, translated to those of transformers.

/// The settings (`dims`) of OpenAI's own files, translated to those of transformers.
pub(crate) fn translate_dims(dims: &serde_json::Value) -> Option<serde_json::Value> {
    let number = |key: &str| dims.get(key)?.as_u64();
    let dim = number("n_audio_state")?;
    Some(serde_json::json!({
        "d_model": dim,
        "encoder_layers": number("n_audio_layer")?,
        "encoder_attention_heads": number("n_audio_head")?,
        "encoder_ffn_dim": 4 * dim,
        "num_mel_bins": number("n_mels")?,
        "max_source_positions": number("n_audio_ctx")?,
    }))
}

/// transformers' name of a tensor in OpenAI's spelling.
pub(crate) fn spell_openai(name: &str) -> String {
    const PARTS: [(&str, &str); 10] = [
        ("self_attn.q_proj.", "attn.query."),
        ("self_attn.k_proj.", "attn.key."),
        ("self_attn.v_proj.", "attn.value."),
        ("self_attn.out_proj.", "attn.out."),
        ("self_attn_layer_norm.", "attn_ln."),
        ("fc1.", "mlp.0."),
        ("fc2.", "mlp.2."),
        ("final_layer_norm.", "mlp_ln."),
        ("embed_positions.weight", "positional_embedding"),
        ("layer_norm.", "ln_post."),
    ];
    let (head, tail) = match name
        .strip_prefix("layers.")
        .and_then(|rest| rest.split_once('.'))
    {
        Some((index, part)) => (format!("blocks.{index}."), part),
        None => (String::new(), name),
    };
    let part = PARTS
        .iter()
        .find_map(|(from, to)| tail.strip_prefix(from).map(|rest| format!("{to}{rest}")));
    format!("{head}{}", part.as_deref().unwrap_or(tail))
}
