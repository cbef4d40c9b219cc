//! Inputs that cannot be opened or encoded are named, with what was expected and what was found.

use crate::made::{Golden, waveform, write_json, write_safetensors};
use crate::shared::shared;
use crate::speech_golden::open;
use emobox_encoder::{Encoder, EncoderOptions, EncoderSource, LayerSelection, Precision};
use serde_json::json;
use std::path::Path;

/// The error message for an encoder that cannot be opened.
pub(crate) fn open_error(path: &Path) -> String {
    let source = EncoderSource::Local {
        name: "bad".into(),
        path: path.into(),
    };
    match Encoder::open(&source, &EncoderOptions::default()) {
        Ok(_) => panic!("{} opened", path.display()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn missing_and_misshaped_tensors_are_named_with_shapes() {
    let golden = Golden::read("wav2vec2-base");
    let folder = tempfile::tempdir().unwrap();
    golden.write_folder(folder.path(), |name| {
        name.replace(
            "encoder.layers.1.attention.k_proj",
            "encoder.layers.1.attention.kk",
        )
    });
    assert_eq!(
        open_error(folder.path()),
        "tensor `encoder.layers.1.attention.k_proj.weight` with shape [32, 32] is missing from the \
         checkpoint (and one more does not fit)"
    );
    golden.write_folder(folder.path(), str::to_owned);
    let mut config = golden.description["config"].clone();
    config["intermediate_size"] = json!(49);
    write_json(&folder.path().join("config.json"), &config);
    assert_eq!(
        open_error(folder.path()),
        "tensor `encoder.layers.0.feed_forward.intermediate_dense.weight` has shape [48, 32], but the \
         configuration asks for [49, 32] (and 8 more do not fit)"
    );
}

#[test]
fn configurations_that_do_not_fit_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert!(open_error(&path.join("nowhere")).contains("nowhere"));
    let config = path.join("config.json");
    let with = |value: serde_json::Value| {
        write_json(&config, &value);
        open_error(path)
    };
    let other = with(json!({"model_type": "bert"}));
    assert!(
        other.contains("architecture `bert`; supported are: whisper, wav2vec2, "),
        "{other}"
    );
    let other = with(json!({"architectures": ["LlamaForCausalLM"]}));
    assert!(other.contains("architecture `LlamaForCausalLM`"), "{other}");
    assert_eq!(
        with(json!({"model_type": "hubert", "hidden_size": "wide"})),
        "configuration key `hidden_size`: expected a whole number from 1 to 16384, found \"wide\""
    );
    assert_eq!(
        with(json!({"model_type": "wavlm", "num_attention_heads": 7})),
        "configuration key `num_attention_heads`: expected a divisor of hidden_size, which is 768, found 7"
    );
    assert_eq!(
        with(json!({"model_type": "wav2vec2", "conv_stride": [5, 0]})),
        "configuration key `conv_stride`: expected a list of 1 to 32 whole numbers from 1 to 64, found [5,0]"
    );
    assert!(
        with(json!({"model_type": "wav2vec2", "hidden_act": "swish"})).contains("`gelu` or `relu`")
    );
    std::fs::write(&config, "{").unwrap();
    assert!(open_error(path).contains("config.json is unreadable: "));
    // A valid configuration without weights.
    let missing = with(json!({"model_type": "wav2vec2"}));
    assert!(missing.contains("weights"), "{missing}");
}

#[test]
fn a_name_nobody_knows_lists_those_there_are() {
    let error = Encoder::open(&EncoderSource::from("fbnk"), &EncoderOptions::default())
        .err()
        .unwrap();
    assert!(
        error.to_string().starts_with("unknown encoder `fbnk`"),
        "{error}"
    );
    assert!(error.to_string().contains("fbank"), "{error}");
}

#[test]
fn damaged_weights_and_waveforms_are_refused() {
    let golden = Golden::read("hubert-base");
    let folder = tempfile::tempdir().unwrap();
    golden.write_folder(folder.path(), str::to_owned);
    let encoder = open(folder.path());
    let mut samples = waveform("x", 4000);
    assert_eq!(
        encoder
            .encode(&samples[..399], &LayerSelection::Last)
            .unwrap_err()
            .to_string(),
        "399 samples at 16000 Hz are too short: this encoder needs at least 400 for one frame"
    );
    assert!(encoder.encode(&[], &LayerSelection::Last).is_err());
    assert_eq!(
        encoder
            .encode(&samples[..400], &LayerSelection::Last)
            .unwrap()
            .frames,
        1
    );
    samples[7] = f32::NAN;
    assert_eq!(
        encoder
            .encode(&samples, &LayerSelection::Last)
            .unwrap_err()
            .to_string(),
        "sample 7 of the waveform is NaN, expected a finite number"
    );
    let layers = LayerSelection::List(vec![4]);
    let error = encoder
        .encode(&waveform("x", 4000), &layers)
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "layer 4 does not exist; this encoder has hidden states 0 (embedding output) to 3"
    );

    let mut tensors = golden.tensors();
    tensors.get_mut("encoder.layer_norm.bias").unwrap().1[3] = f32::INFINITY;
    write_safetensors(&folder.path().join("model.safetensors"), &tensors);
    let error = open_error(folder.path());
    assert_eq!(
        error,
        "tensor `encoder.layer_norm.bias` holds inf at element 3; the checkpoint is damaged"
    );
}

#[test]
fn what_a_device_does_not_have_is_named() {
    let golden = Golden::read("hubert-base");
    let folder = tempfile::tempdir().unwrap();
    golden.write_folder(folder.path(), str::to_owned);
    let source = EncoderSource::Local {
        name: "x".into(),
        path: folder.path().into(),
    };
    let options = EncoderOptions {
        precision: Precision::F16,
        ..EncoderOptions::default()
    };
    let error = Encoder::open(&source, &options).err().unwrap().to_string();
    assert_eq!(
        error,
        "device `cpu` is not available: it computes in f32 and bf16; f16 is a GPU's"
    );
    // No machine has a card of this index.
    let options = EncoderOptions {
        device: "cuda:999".parse().unwrap(),
        ..EncoderOptions::default()
    };
    let error = Encoder::open(&source, &options).err().unwrap().to_string();
    let begins = "device `cuda:999` is not available: no ";
    assert!(error.starts_with(begins), "{error}");
}

#[test]
fn a_recording_of_a_day_is_refused() {
    let golden = Golden::read("hubert-base");
    let folder = tempfile::tempdir().unwrap();
    golden.write_folder(folder.path(), str::to_owned);
    let error = open(folder.path()).encode(&vec![0.0; 16_000_000], &LayerSelection::Last);
    let error = error.unwrap_err().to_string();
    assert!(
        error.starts_with("16000000 samples at 16000 Hz are 1000 s, above the limit of 900 s"),
        "{error}"
    );
}

#[test]
#[cfg_attr(not(has_shared), ignore = "needs ../shared")]
fn unused_parts_are_named() {
    let path = shared("weights/whisper-tiny.en");
    let encoder = open(&path);
    let info = encoder.info();
    assert_eq!(
        (info.family.as_str(), info.hop, info.longest),
        ("Whisper", 320, Some(480_000))
    );
    eprintln!("{info:?}");
    // 8.2 million, as transformers counts the encoder.
    assert_eq!(info.parameters, 8_208_384);
}
