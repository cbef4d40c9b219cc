//! `check_dir`: a one-screen report on a folder.

use crate::made::{Golden, write_json, write_safetensors};
use crate::shared::shared;
use emobox_encoder::{Encoder, EncoderOptions, EncoderSource, check_dir, zoo_entry};
use serde_json::json;
use std::path::Path;

fn screen(folder: &Path) -> String {
    let report = check_dir(folder).unwrap().to_string();
    assert!(report.lines().count() <= 40, "{report}");
    report.replace(&folder.display().to_string(), "[FOLDER]")
}

#[test]
fn a_complete_folder_and_its_head() {
    let golden = Golden::read("wavlm-base");
    let folder = tempfile::tempdir().unwrap();
    golden.write_folder(folder.path(), |name| match name {
        "masked_spec_embed" => "lm_head.weight".to_owned(),
        _ => format!("wavlm.{name}"),
    });
    let bytes = std::fs::metadata(folder.path().join("model.safetensors"))
        .unwrap()
        .len();
    let expected = format!(
        "[FOLDER]
  weights         model.safetensors ({:.1} MB)
  architecture    WavLM, by config.json
  shape           3 layers, 32 dims, 4 heads, a frame every 320 samples
  encoder         0.0 M parameters in 76 tensors (f32 × 76)
  waveform        as it is, by preprocessor_config.json
  not used        lm_head.weight
  verdict         complete: it opens",
        bytes as f64 / 1e6
    );
    assert_eq!(screen(folder.path()), expected);
}

#[test]
fn what_is_missing_is_listed_and_then_counted() {
    let golden = Golden::read("wav2vec2-large");
    let folder = tempfile::tempdir().unwrap();
    golden.write_folder(folder.path(), str::to_owned);
    let mut config = golden.description["config"].clone();
    config["num_hidden_layers"] = json!(5);
    config["num_conv_pos_embeddings"] = json!(16);
    write_json(&folder.path().join("config.json"), &config);
    std::fs::remove_file(folder.path().join("preprocessor_config.json")).unwrap();
    let report = check_dir(folder.path()).unwrap();
    assert!(!report.opens);
    assert_eq!((report.missing.len(), report.misshaped.len()), (32, 2));
    let screen = screen(folder.path());
    assert!(
        screen.contains("  MISSING         encoder.layers.3.attention.q_proj.weight [32, 32]\n"),
        "{screen}"
    );
    assert!(
        screen.contains("                  and 24 more\n"),
        "{screen}"
    );
    assert!(
        screen.contains("original0 [1, 1, 15], expected [1, 1, 16]\n"),
        "{screen}"
    );
    assert!(
        screen.contains("by nothing (no preprocessor_config.json"),
        "{screen}"
    );
    assert!(
        screen.ends_with("verdict         it does not open"),
        "{screen}"
    );
}

#[test]
#[cfg_attr(not(has_shared), ignore = "needs ../shared")]
fn real_weights_agree_with_their_row_of_the_zoo() {
    let path = shared("weights/whisper-tiny.en");
    let report = check_dir(&path).unwrap();
    let row = zoo_entry("whisper-tiny.en").unwrap();
    assert_eq!(Some(report.parameters), row.parameters);
    assert_eq!(
        (Some(report.layers), report.dim, report.hop),
        (row.layers, row.dim, row.hop)
    );
    assert_eq!(
        (report.family.as_str(), report.normalisation),
        (row.family, row.normalisation)
    );
    assert!(report.opens);
}

#[test]
fn the_feature_extractor_inside_processor_config_is_read() {
    let golden = Golden::read("wavlm-base");
    let folder = tempfile::tempdir().unwrap();
    golden.write_folder(folder.path(), str::to_owned);
    let (own, nested) = (
        folder.path().join("preprocessor_config.json"),
        folder.path().join("processor_config.json"),
    );
    std::fs::remove_file(&own).unwrap();
    for (on, said) in [(false, "as it is"), (true, "to mean 0 and variance 1")] {
        let part = json!({"do_normalize": on, "sampling_rate": 16_000});
        write_json(
            &nested,
            &json!({"feature_extractor": part, "processor_class": "Wav2Vec2Processor"}),
        );
        let screen = screen(folder.path());
        assert!(
            screen.contains(&format!("{said}, by processor_config.json")),
            "{screen}"
        );
    }
    // An older processor file has no feature extractor; if there is a separate file, it takes precedence.
    write_json(&nested, &json!({"processor_class": "Wav2Vec2Processor"}));
    assert!(screen(folder.path()).contains("by nothing (no preprocessor_config.json"));
    write_json(
        &nested,
        &json!({"feature_extractor": {"do_normalize": true}}),
    );
    write_json(&own, &json!({"do_normalize": false}));
    assert!(screen(folder.path()).contains("as it is, by preprocessor_config.json"));
}

#[test]
fn quantised_weights_are_refused_by_name() {
    let golden = Golden::read("wavlm-base");
    let folder = tempfile::tempdir().unwrap();
    golden.write_folder(folder.path(), str::to_owned);
    let mut config = golden.description["config"].clone();
    config["quantization_config"] = json!({"quant_method": "bitsandbytes", "load_in_8bit": true});
    write_json(&folder.path().join("config.json"), &config);
    let said = check_dir(folder.path()).unwrap_err().to_string();
    assert!(said.contains("quantization_config"), "{said}");
    // Without the key in the configuration, the tensors' types show it.
    config["quantization_config"] = json!(null);
    write_json(&folder.path().join("config.json"), &config);
    let weights = folder.path().join("model.safetensors");
    let bytes = std::fs::read(&weights).unwrap();
    let (length, rest) = bytes.split_at(8);
    let length = u64::from_le_bytes(length.try_into().unwrap()) as usize;
    let header = String::from_utf8(rest[..length].to_vec()).unwrap();
    // Integers of the same width: shapes and offsets still fit.
    let header = header.replace("F32", "I32");
    let quantised = [&bytes[..8], header.as_bytes(), &rest[length..]].concat();
    std::fs::write(&weights, quantised).unwrap();
    let said = match check_dir(folder.path()) {
        Ok(report) => report.to_string(),
        Err(error) => error.to_string(),
    };
    assert!(said.contains("i32") && said.contains("quantised"), "{said}");
    assert!(!said.contains("it opens"), "{said}");
}

#[test]
fn a_configuration_that_names_its_class_alone_is_read() {
    let golden = Golden::read("wavlm-base");
    let folder = tempfile::tempdir().unwrap();
    golden.write_folder(folder.path(), str::to_owned);
    let mut config = golden.description["config"].clone();
    config.as_object_mut().unwrap().remove("model_type");
    config["hidden_act"] = json!("gelu_python");
    for (class, read) in [
        ("WavLMForSequenceClassification", true),
        ("WavLMModel", true),
        ("SEWModel", false),
        ("ParakeetForCTC", false),
    ] {
        config["architectures"] = json!([class]);
        write_json(&folder.path().join("config.json"), &config);
        match check_dir(folder.path()) {
            Ok(report) => assert!(read && report.opens, "{class}: {report}"),
            Err(error) => assert!(!read && error.to_string().contains(class), "{error}"),
        }
    }
}

/// Common formats that are not a usable encoder: each is named, with how to convert it.
#[test]
fn other_forms_are_named() {
    let golden = Golden::read("wavlm-base");
    let refused = |folder: &Path, parts: &[&str]| {
        let told = check_dir(folder).unwrap_err().to_string();
        for part in parts {
            assert!(told.contains(part), "{told}");
        }
    };
    // The roots of the hub's cache and of a trainer.
    let roots = tempfile::tempdir().unwrap();
    let (cache, trainer) = (roots.path().join("cache"), roots.path().join("trainer"));
    let snapshot = "models--microsoft--wavlm-base/snapshots/abc";
    for place in [cache.join(snapshot), trainer.join("checkpoint-500")] {
        std::fs::create_dir_all(&place).unwrap();
        golden.write_folder(&place, str::to_owned);
    }
    refused(&cache, &["a folder of checkpoints", snapshot]);
    refused(
        &cache.join("models--microsoft--wavlm-base"),
        &["snapshots/abc"],
    );
    refused(&trainer, &["checkpoint-500"]);
    // A PEFT adapter.
    let adapter = tempfile::tempdir().unwrap();
    let base = json!({"base_model_name_or_path": "microsoft/wavlm-base", "peft_type": "LORA"});
    write_json(&adapter.path().join("adapter_config.json"), &base);
    std::fs::write(adapter.path().join("adapter_model.safetensors"), b"").unwrap();
    refused(
        adapter.path(),
        &["a PEFT adapter", "microsoft/wavlm-base", "merge_and_unload"],
    );
    // NeMo.
    let nemo = tempfile::tempdir().unwrap();
    std::fs::write(nemo.path().join("stt.nemo"), b"x").unwrap();
    refused(nemo.path(), &["NeMo"]);
    refused(&nemo.path().join("stt.nemo"), &["NeMo"]);
    // SpeechBrain: refused without a configuration, read with it.
    let brain = tempfile::tempdir().unwrap();
    golden.write_folder(brain.path(), |name| format!("model.{name}"));
    let weights = brain.path().join("model.safetensors");
    std::fs::rename(weights, brain.path().join("wav2vec2.ckpt")).unwrap();
    std::fs::write(brain.path().join("model.ckpt"), b"x").unwrap();
    let settings = "# a recipe\nwav2vec2_hub: microsoft/wavlm-base  # on the hub\n";
    std::fs::write(brain.path().join("hyperparams.yaml"), settings).unwrap();
    assert!(check_dir(brain.path()).unwrap().opens);
    std::fs::remove_file(brain.path().join("config.json")).unwrap();
    refused(
        brain.path(),
        &[
            "a SpeechBrain pipeline",
            "config.json",
            "of microsoft/wavlm-base beside it",
        ],
    );
}

/// Weights of more layers or of another architecture than the configuration's: the model that it describes would run, on part of the
/// weights. Both ways in refuse it by a tensor's name; buffers and what lies outside the layers are passed over.
#[test]
fn weights_that_the_configuration_does_not_use_are_refused() {
    let golden = Golden::read("wavlm-base");
    let source = |path: &Path| EncoderSource::Local {
        name: "mine".to_owned(),
        path: path.to_owned(),
    };
    for (key, value, tensor) in [
        ("num_hidden_layers", json!(2), "encoder.layers.2."),
        ("model_type", json!("wav2vec2"), "gru_rel_pos"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        golden.write_folder(folder.path(), str::to_owned);
        let mut config = golden.description["config"].clone();
        config[key] = value;
        write_json(&folder.path().join("config.json"), &config);
        let report = check_dir(folder.path()).unwrap();
        assert!(!report.opens && !report.left_over.is_empty(), "{report}");
        let why = report.why.unwrap();
        assert!(
            why.contains(tensor) && why.contains(key.trim_start_matches("num_hidden_")),
            "{why}"
        );
        let opened = Encoder::open(&source(folder.path()), &EncoderOptions::default());
        assert_eq!(opened.err().unwrap().to_string(), why);
        let described = Encoder::describe(&source(folder.path()));
        assert_eq!(described.unwrap_err().to_string(), why);
    }
    let folder = tempfile::tempdir().unwrap();
    golden.write_folder(folder.path(), str::to_owned);
    let mut tensors = golden.tensors();
    for beside in [
        "quantizer.codevectors",
        "encoder.layers.0.norm.num_batches_tracked",
        "projectors.0.weight",
    ] {
        tensors.insert(beside.to_owned(), (vec![1], vec![0.0]));
    }
    write_safetensors(&folder.path().join("model.safetensors"), &tensors);
    let report = check_dir(folder.path()).unwrap();
    assert!(report.opens && report.left_over.is_empty(), "{report}");
    assert_eq!(serde_json::to_value(&report).unwrap()["opens"], json!(true));
}
